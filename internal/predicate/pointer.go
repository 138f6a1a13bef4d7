package predicate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// test is a prepared Test: one of equals, contains and in is set, or none, which asks whether there is
// a value.
type test struct {
	path     []step
	equals   *value
	contains *value
	in       *set
	absent   bool
}

// step is one reference token of a JSON Pointer: a key of an object, and an index of a list where it
// may be one.
type step struct {
	key   string
	index int // -1: none
}

func (t *test) match(doc []byte) bool {
	at := t.find(doc)
	switch {
	case at == nil:
		return t.absent
	case t.equals != nil:
		return t.equals.equal(at)
	case t.contains != nil:
		return t.contains.within(at)
	case t.in != nil:
		return t.in.has(at)
	}
	return !t.absent
}

// find returns the value that the path names, nil when there is none.
func (t *test) find(doc []byte) []byte {
	for _, s := range t.path {
		if doc = s.from(doc); doc == nil {
			return nil
		}
	}
	return doc
}

func (s step) from(doc []byte) (found []byte) {
	switch rawjson.KindOf(doc) {
	case rawjson.Object:
		for key, v := range rawjson.Members(doc) {
			if string(text(key)) == s.key {
				found = v // the last one counts
			}
		}
	case rawjson.Array:
		i := 0
		for v := range rawjson.Elements(doc) {
			if i == s.index {
				return v
			}
			i++
		}
	}
	return found
}

// pointer takes a JSON Pointer apart.
func pointer(path string) ([]step, error) {
	switch {
	case path == "":
		return nil, nil
	case path[0] != '/':
		return nil, errors.New("a path is empty or begins with a slash")
	case !utf8.ValidString(path):
		return nil, errors.New("a path is UTF-8")
	case strings.Count(path, "/") > MaxPath:
		return nil, fmt.Errorf("a path has at most %d steps", MaxPath)
	}
	tokens := strings.Split(path[1:], "/")
	steps := make([]step, len(tokens))
	for i, token := range tokens {
		key, err := unescape(token)
		if err != nil {
			return nil, err
		}
		steps[i] = step{key, index(token)}
	}
	return steps, nil
}

// unescape undoes the escapes of a reference token: ~1 is a slash, ~0 a tilde.
func unescape(token string) (string, error) {
	for i := range len(token) {
		if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
			return "", errors.New(`a tilde in a path is written as "~0", a slash in a key as "~1"`)
		}
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~"), nil
}

// index returns what a reference token says as an index: digits without a leading zero; else -1.
func index(token string) int {
	if token != "0" && strings.Trim(token, "0123456789") != "" || token == "" || len(token) > 1 && token[0] == '0' {
		return -1
	}
	n, err := strconv.Atoi(token)
	if err != nil {
		return -1
	}
	return n
}
