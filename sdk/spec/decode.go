package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/internal/redact"
)

// Decode fills the struct that config points to from a JSON object; an attribute that is absent or
// null gets its default, or the zero value. Everything that is wrong is reported at once, as
// [*Complaint]s joined; then Validate is asked, if the struct has it. nil takes any object.
func Decode(raw []byte, config any) error {
	fields, err := of(config)
	if err != nil || config == nil {
		return err
	}
	values := make(map[string]json.RawMessage)
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := json.Unmarshal(raw, &values); err != nil {
			return &Complaint{Text: "The configuration is not a JSON object."}
		}
	}
	var faults []error
	into := reflect.ValueOf(config).Elem()
	for _, f := range fields {
		target := into.FieldByIndex(f.index)
		target.SetZero()
		value, given := values[f.pb.GetName()]
		delete(values, f.pb.GetName())
		if !given || string(value) == "null" {
			if f.pb.GetRequired() {
				faults = append(faults, &Complaint{Attribute: f.pb.GetName(), Text: "It is required."})
				continue
			}
			if value = json.RawMessage(f.pb.GetDefaultJson()); len(value) == 0 {
				continue
			}
		}
		if text := f.set(target, value); text != "" {
			faults = append(faults, &Complaint{Attribute: f.pb.GetName(), Text: text})
		}
	}
	for name := range values {
		faults = append(faults, &Complaint{Attribute: name, Text: "There is no such attribute."})
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return errors.Join(faults...)
	}
	if v, ok := config.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// What a value of the wrong kind is told: sentences, as they are shown beneath the line they are about.
const (
	notText     = "It must be a string."
	notBool     = "It must be true or false."
	notInt      = "It must be a whole number."
	notNumber   = "It must be a number."
	notDuration = `It must be a duration, as "3s".`
	notSize     = `It must be a size, as "1MiB".`
	notList     = "It must be a list of strings."
	notSeveral  = "It must be a string or a list of strings."
	notMap      = "It must be a map of strings."
	outOfRange  = "The number is out of range."
	negative    = "It must not be negative."
)

// set decodes the value of one attribute. It returns what is wrong with it, or "".
func (f field) set(v reflect.Value, raw []byte) string {
	switch f.kind {
	case kindString, kindSecret:
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return notText
		}
		if of := f.pb.GetOneOf(); len(of) > 0 && !slices.Contains(of, s) {
			return "It must be " + oneOf(of) + "."
		}
		v.SetString(s)
	case kindBool:
		var b bool
		if json.Unmarshal(raw, &b) != nil {
			return notBool
		}
		v.SetBool(b)
	case kindInt:
		return setInt(v, raw)
	case kindUint:
		return setUint(v, raw)
	case kindNumber:
		var n float64
		if json.Unmarshal(raw, &n) != nil {
			return notNumber
		}
		v.SetFloat(n)
	case kindDuration:
		return setDuration(v, raw)
	case kindSize:
		return setSize(v, raw)
	case kindList:
		list := []string{}
		if json.Unmarshal(raw, &list) != nil {
			return notList
		}
		v.Set(reflect.ValueOf(list))
	case kindSecrets:
		list := make([]redact.Secret, 1)
		if json.Unmarshal(raw, &list[0]) != nil && json.Unmarshal(raw, &list) != nil {
			return notSeveral
		}
		v.Set(reflect.ValueOf(list))
	case kindMap:
		m := map[string]string{}
		if json.Unmarshal(raw, &m) != nil {
			return notMap
		}
		v.Set(reflect.ValueOf(m))
	case kindExpr:
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return notText
		}
		e, err := ParseExpr(s, f.pb.GetName(), f.vars...)
		if err != nil {
			return err.Error()
		}
		v.Set(reflect.ValueOf(e))
	}
	return ""
}

func setInt(v reflect.Value, raw []byte) string {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && v.OverflowInt(n):
		return outOfRange
	case err != nil:
		return notInt
	}
	v.SetInt(n)
	return ""
}

func setUint(v reflect.Value, raw []byte) string {
	n, err := strconv.ParseUint(string(raw), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && v.OverflowUint(n):
		return outOfRange
	case err != nil && raw[0] == '-':
		return negative
	case err != nil:
		return notInt
	}
	v.SetUint(n)
	return ""
}

func setDuration(v reflect.Value, raw []byte) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return notDuration
	}
	switch d, err := time.ParseDuration(s); {
	case err != nil:
		return notDuration
	case d < 0:
		return negative
	default:
		v.SetInt(int64(d))
	}
	return ""
}

func setSize(v reflect.Value, raw []byte) string {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return notSize
		}
		if n, err = ParseSize(s); err != nil {
			return notSize
		}
	}
	if n < 0 {
		return negative
	}
	v.SetInt(n)
	return ""
}

// ParseSize reads a number of bytes with a unit B, KiB, MiB or GiB, or with none.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGi ")
	unit := map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[strings.TrimSpace(s[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || unit == 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size", s)
	}
	return n * unit, nil
}

// defaultJSON turns a default as a tag has it into JSON.
func defaultJSON(f field, text string) ([]byte, error) {
	switch f.kind {
	case kindBool, kindInt, kindUint, kindNumber:
		if !json.Valid([]byte(text)) {
			return nil, errors.New("is not of the field's type")
		}
		return []byte(text), nil
	case kindSize:
		n, err := ParseSize(text)
		return strconv.AppendInt(nil, n, 10), err
	case kindList:
		if text == "" {
			return []byte("[]"), nil
		}
		return json.Marshal(strings.Split(text, "|"))
	case kindMap:
		m := make(map[string]string)
		for pair := range strings.SplitSeq(text, "|") {
			if key, value, ok := strings.Cut(pair, "="); ok {
				m[key] = value
			} else if pair != "" {
				return nil, errors.New("want key=value")
			}
		}
		return json.Marshal(m)
	}
	return json.Marshal(text)
}

func oneOf(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	last := len(quoted) - 1
	if last < 1 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}
