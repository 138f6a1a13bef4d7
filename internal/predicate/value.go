package predicate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// value is a JSON value to compare others with.
type value struct {
	kind    rawjson.Kind
	text    []byte // of a string; "true" or "false" of a bool
	number  number
	list    []value
	members map[string]*value
}

// set is a set of values.
type set struct {
	texts  map[string]bool // the strings
	others []value
}

// valueOf prepares a valid value without space around it. It points into raw.
func valueOf(raw []byte, depth int) (v value, err error) {
	if depth > MaxDepth {
		return v, fmt.Errorf("lists and objects lie more than %d deep in each other", MaxDepth)
	}
	v.kind = rawjson.KindOf(raw)
	switch v.kind {
	case rawjson.String:
		v.text = text(raw)
	case rawjson.Bool:
		v.text = raw
	case rawjson.Number:
		v.number = numberOf(raw)
	case rawjson.Array:
		for element := range rawjson.Elements(raw) {
			e, err := valueOf(element, depth+1)
			if err != nil {
				return v, err
			}
			v.list = append(v.list, e)
		}
	case rawjson.Object:
		v.members = make(map[string]*value)
		for key, member := range rawjson.Members(raw) {
			m, err := valueOf(member, depth+1)
			if err != nil {
				return v, err
			}
			v.members[string(text(key))] = &m
		}
	case rawjson.Null, rawjson.Invalid:
	}
	return v, nil
}

// equal reports whether raw is that value.
func (v *value) equal(raw []byte) bool {
	if rawjson.KindOf(raw) != v.kind {
		return false
	}
	switch v.kind {
	case rawjson.String:
		return bytes.Equal(text(raw), v.text)
	case rawjson.Bool:
		return bytes.Equal(raw, v.text)
	case rawjson.Number:
		return v.number.equal(numberOf(raw))
	case rawjson.Array:
		return v.equalList(raw)
	case rawjson.Object:
		return v.equalObject(raw)
	case rawjson.Null, rawjson.Invalid:
	}
	return true
}

func (v *value) equalList(raw []byte) bool {
	i := 0
	for element := range rawjson.Elements(raw) {
		if i == len(v.list) || !v.list[i].equal(element) {
			return false
		}
		i++
	}
	return i == len(v.list)
}

func (v *value) equalObject(raw []byte) bool {
	found := make(map[*value][]byte, len(v.members))
	for key, member := range rawjson.Members(raw) {
		m := v.members[string(text(key))]
		if m == nil {
			return false
		}
		found[m] = member // the last one counts
	}
	for m, member := range found {
		if !m.equal(member) {
			return false
		}
	}
	return len(found) == len(v.members)
}

// within reports whether the value is an element of the list raw, or a part of the string raw.
func (v *value) within(raw []byte) bool {
	switch rawjson.KindOf(raw) {
	case rawjson.Array:
		for element := range rawjson.Elements(raw) {
			if v.equal(element) {
				return true
			}
		}
	case rawjson.String:
		return v.kind == rawjson.String && bytes.Contains(text(raw), v.text)
	}
	return false
}

func (s *set) has(raw []byte) bool {
	if rawjson.KindOf(raw) == rawjson.String {
		return s.texts[string(text(raw))]
	}
	for i := range s.others {
		if s.others[i].equal(raw) {
			return true
		}
	}
	return false
}

// text returns what a valid string says, as UTF-8: what is no character is U+FFFD. It points into raw
// where nothing has to be changed.
func text(raw []byte) []byte {
	t, _ := rawjson.Text(raw)
	if utf8.Valid(t) {
		return t
	}
	var s string
	_ = json.Unmarshal(raw, &s) // it is valid
	return []byte(s)
}
