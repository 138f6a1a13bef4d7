package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Scope gives the root variables their values. A root that is absent is null. Only the roots that
// an expression names ([Expr.Roots]) are ever asked for.
type Scope map[string]Value

type kind uint8

const (
	kindNull kind = iota
	kindText
	kindObject
	kindNested
	kindJSON
	kindNumber // results only: digits as they were written
	kindBool   // results only
)

// Value is the value of a root variable. The zero value is [Null]. A Value refers to what it was
// made of and does not copy it.
type Value struct {
	kind   kind
	text   string
	raw    []byte
	object map[string]string
	nested map[string]Value
}

// Null is the value of what is not there.
var Null Value

// Text is a string.
func Text(s string) Value { return Value{kind: kindText, text: s} }

// JSON is a value given as its valid JSON, of which only the paths that an expression names are
// looked at: member names are exact, and of duplicates the last counts. Nothing at all is null. raw
// must not change while the Value is used.
func JSON(raw []byte) Value {
	if len(raw) == 0 {
		return Null
	}
	return Value{kind: kindJSON, raw: raw}
}

// Object is an object of strings, as the headers of a request.
func Object(members map[string]string) Value { return Value{kind: kindObject, object: members} }

// Nested is an object of values.
func Nested(members map[string]Value) Value { return Value{kind: kindNested, nested: members} }

// at returns the value at path, Null when there is none. It is never of kindJSON for a scalar.
func (v Value) at(path []step) (Value, error) {
	for i, st := range path {
		switch v.kind {
		case kindJSON:
			return jsonAt(v.raw, path[i:])
		case kindNested:
			if st.isIdx {
				return Null, nil
			}
			v = v.nested[st.name]
		case kindObject:
			if st.isIdx {
				return Null, nil
			}
			s, ok := v.object[st.name]
			if !ok {
				return Null, nil
			}
			v = Text(s)
		default:
			return Null, nil
		}
	}
	if v.kind == kindJSON {
		return jsonAt(v.raw, nil)
	}
	return v, nil
}

func jsonAt(doc []byte, path []step) (Value, error) {
	raw, err := find(doc, path)
	if err != nil || raw == nil {
		return Null, err
	}
	return fromJSON(raw)
}

// fromJSON takes the JSON of one value, without space around it, apart as far as scalars go.
func fromJSON(raw []byte) (Value, error) {
	switch c := raw[0]; {
	case c == '{' || c == '[':
		return JSON(raw), nil
	case c == '"':
		s, err := unquote(raw)
		if err != nil {
			return Null, err
		}
		return Text(s), nil
	case c == '-' || c >= '0' && c <= '9':
		if strings.Trim(string(raw), "+-.0123456789Ee") != "" {
			return Null, errMalformed
		}
		return Value{kind: kindNumber, text: string(raw)}, nil
	}
	switch string(raw) {
	case "null":
		return Null, nil
	case "true":
		return Value{kind: kindBool, text: "true"}, nil
	case "false":
		return Value{kind: kindBool, text: "false"}, nil
	}
	return Null, errMalformed
}

// isText reports whether the value is, or converts to, a string.
func (v Value) isText() bool {
	return v.kind == kindText || v.kind == kindNumber || v.kind == kindBool
}

// elements returns what a list holds; ok is false for anything else.
func (v Value) elements() (list []Value, ok bool, err error) {
	if v.kind != kindJSON || v.raw[0] != '[' {
		return nil, false, nil
	}
	var raws []json.RawMessage
	if json.Unmarshal(v.raw, &raws) != nil {
		return nil, true, errMalformed
	}
	for _, raw := range raws {
		e, err := fromJSON(bytes.TrimSpace(raw))
		if err != nil {
			return nil, true, err
		}
		list = append(list, e)
	}
	return list, true, nil
}

var errNumber = errors.New("number is too large to calculate with")

// maxExponent bounds numbers that are calculated with, since their digits are written out.
const maxExponent = 400

func (v Value) cty() (cty.Value, error) {
	switch v.kind {
	case kindText:
		return cty.StringVal(v.text), nil
	case kindBool:
		return cty.BoolVal(v.text == "true"), nil
	case kindNumber:
		return number(v.text)
	case kindObject:
		members := make(map[string]cty.Value, len(v.object))
		for k, s := range v.object {
			members[k] = cty.StringVal(s)
		}
		return cty.ObjectVal(members), nil
	case kindNested:
		members := make(map[string]cty.Value, len(v.nested))
		for k, m := range v.nested {
			var err error
			if members[k], err = m.cty(); err != nil {
				return cty.NilVal, err
			}
		}
		return cty.ObjectVal(members), nil
	case kindJSON:
		d := json.NewDecoder(bytes.NewReader(v.raw))
		d.UseNumber()
		var decoded any
		if d.Decode(&decoded) != nil {
			return cty.NilVal, errMalformed
		}
		return toCty(decoded)
	case kindNull:
	}
	return cty.NullVal(cty.DynamicPseudoType), nil
}

func toCty(decoded any) (cty.Value, error) {
	switch d := decoded.(type) {
	case string:
		return cty.StringVal(d), nil
	case bool:
		return cty.BoolVal(d), nil
	case json.Number:
		return number(d.String())
	case []any:
		list := make([]cty.Value, len(d))
		for i, e := range d {
			var err error
			if list[i], err = toCty(e); err != nil {
				return cty.NilVal, err
			}
		}
		return cty.TupleVal(list), nil
	case map[string]any:
		members := make(map[string]cty.Value, len(d))
		for k, e := range d {
			var err error
			if members[k], err = toCty(e); err != nil {
				return cty.NilVal, err
			}
		}
		return cty.ObjectVal(members), nil
	}
	return cty.NullVal(cty.DynamicPseudoType), nil
}

// tooLarge reports whether v is a number that would be written with very many digits.
func tooLarge(v cty.Value) bool {
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.Number {
		return false
	}
	const bits = maxExponent * 10 / 3
	exponent := v.AsBigFloat().MantExp(nil)
	return v.AsBigFloat().IsInf() || exponent > bits || exponent < -bits
}

func number(digits string) (cty.Value, error) {
	if _, exp, ok := strings.Cut(strings.ToLower(digits), "e"); ok {
		if n, err := strconv.Atoi(exp); err != nil || n > maxExponent || n < -maxExponent {
			return cty.NilVal, errNumber
		}
	}
	if len(digits) > 2*maxExponent {
		return cty.NilVal, errNumber
	}
	n, err := cty.ParseNumberVal(digits)
	if err != nil {
		return cty.NilVal, errMalformed
	}
	return n, nil
}
