// Package spec turns a configuration struct into the fields that a plugin's Describe declares, and
// the values of Configure into that struct. One declaration gives decoding, checks and
// documentation. It does no I/O, knows no HCL file, and leaves what types cannot say to [Validator].
//
//	type Config struct {
//		Greeting string        `bridge:"greeting,default=hello" doc:"first line sent to a client"`
//		Timeout  time.Duration `bridge:"timeout,default=3s" doc:"silence that closes a session"`
//		Key      redact.Secret `bridge:"key,required" doc:"signs answers" example:"env(\"KEY\")"`
//		Mode     string        `bridge:"mode,default=a,oneof=a|b" doc:"what is answered"`
//	}
//
// The bridge tag holds the attribute's name in snake_case and, separated by commas, `required`,
// `secret`, `default=…`, `oneof=a|b` and, for an [Expr], `vars=user|payload`. A default with a comma
// in it goes into a tag of its own, `default:"…"`. Defaults of lists are written a|b, of maps
// a=1|b=2. A secret has no default, but `from=upstream.secret` makes it that which the route's upstream
// shares with a Logux back-end or server, where the block does not have it. Fields without a bridge tag are left alone; embedded structs are part of the outer one.
//
// Types: string, bool, integers, float64, [time.Duration], [Size], []string, map[string]string,
// [Expr], and redact.Secret and []redact.Secret, which are secret by themselves; the latter takes one or
// a list, the current one first.
package spec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/internal/redact"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Size is a number of bytes, "1MiB" in bridge.hcl.
type Size int64

// Validator is what a configuration struct implements to check what types cannot say. Return a
// [*Complaint], or several with [errors.Join].
type Validator interface {
	Validate() error
}

// Complaint is about one value of a configuration; it reaches the operator with file and line.
type Complaint struct {
	Route     string // id of the route; empty for the plugin-wide block
	Attribute string // empty for the block as a whole
	Text      string // a sentence for the operator
}

// Error implements error.
func (c *Complaint) Error() string {
	if c.Attribute == "" {
		return c.Text
	}
	return c.Attribute + ": " + c.Text
}

// Complaints takes an error apart into the complaints joined in it. An error that is no complaint
// becomes one about the block.
func Complaints(err error) []*Complaint {
	var list []*Complaint
	var one *Complaint
	var many interface{ Unwrap() []error }
	switch {
	case err == nil:
	case errors.As(err, &many):
		for _, e := range many.Unwrap() {
			list = append(list, Complaints(e)...)
		}
	case errors.As(err, &one):
		list = append(list, one)
	default:
		list = append(list, &Complaint{Text: err.Error()})
	}
	return list
}

// fromUpstream is where a secret may come from that the block does not have.
const fromUpstream = "upstream.secret"

// field is one attribute: what is declared of it, and where it goes.
type field struct {
	pb    *pluginv1.Field
	index []int
	kind  kind
	vars  []string // Expr
}

type kind uint8

const (
	kindString kind = iota + 1
	kindSecret
	kindSecrets
	kindBool
	kindInt
	kindUint
	kindNumber
	kindDuration
	kindSize
	kindList
	kindMap
	kindExpr
)

var wireTypes = map[kind]pluginv1.FieldType{
	kindString:   pluginv1.FieldType_FIELD_TYPE_STRING,
	kindSecret:   pluginv1.FieldType_FIELD_TYPE_STRING,
	kindSecrets:  pluginv1.FieldType_FIELD_TYPE_STRING_LIST,
	kindBool:     pluginv1.FieldType_FIELD_TYPE_BOOL,
	kindInt:      pluginv1.FieldType_FIELD_TYPE_INT,
	kindUint:     pluginv1.FieldType_FIELD_TYPE_INT,
	kindNumber:   pluginv1.FieldType_FIELD_TYPE_NUMBER,
	kindDuration: pluginv1.FieldType_FIELD_TYPE_DURATION,
	kindSize:     pluginv1.FieldType_FIELD_TYPE_SIZE,
	kindList:     pluginv1.FieldType_FIELD_TYPE_STRING_LIST,
	kindMap:      pluginv1.FieldType_FIELD_TYPE_STRING_MAP,
	kindExpr:     pluginv1.FieldType_FIELD_TYPE_EXPRESSION,
}

// Fields returns what the struct that config points to declares; nil declares nothing. A struct
// whose tags make no sense is an error.
func Fields(config any) ([]*pluginv1.Field, error) {
	fields, err := of(config)
	if err != nil || fields == nil {
		return nil, err
	}
	list := make([]*pluginv1.Field, len(fields))
	for i, f := range fields {
		list[i] = f.pb
	}
	return list, nil
}

func of(config any) ([]field, error) {
	if config == nil {
		return nil, nil
	}
	t := reflect.TypeOf(config)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("configuration is a %s, want a pointer to a struct", t)
	}
	fields, err := walk(t.Elem(), nil)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", t.Elem(), err)
	}
	seen := make(map[string]bool)
	for _, f := range fields {
		if seen[f.pb.GetName()] {
			return nil, fmt.Errorf("configuration %s: attribute %q is declared twice", t.Elem(), f.pb.GetName())
		}
		seen[f.pb.GetName()] = true
	}
	return fields, nil
}

func walk(t reflect.Type, index []int) ([]field, error) {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		at := slices.Concat(index, []int{i})
		tag, tagged := sf.Tag.Lookup("bridge")
		if !tagged {
			if sf.Anonymous && sf.Type.Kind() == reflect.Struct {
				inner, err := walk(sf.Type, at)
				if err != nil {
					return nil, err
				}
				fields = append(fields, inner...)
			}
			continue
		}
		f, err := parseField(sf, tag, at)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", sf.Name, err)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func parseField(sf reflect.StructField, tag string, index []int) (field, error) {
	f := field{index: index, kind: kindOf(sf.Type)}
	switch {
	case !sf.IsExported():
		return f, errors.New("is not exported")
	case f.kind == 0:
		return f, fmt.Errorf("type %s cannot be configured", sf.Type)
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		return f, fmt.Errorf("attribute name %q is not snake_case", name)
	}
	f.pb = &pluginv1.Field{
		Name:    name,
		Type:    wireTypes[f.kind],
		Doc:     sf.Tag.Get("doc"),
		Example: sf.Tag.Get("example"),
		Secret:  f.kind == kindSecret || f.kind == kindSecrets,
	}
	fallback, hasDefault := sf.Tag.Lookup("default")
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "":
		case "required":
			f.pb.Required = true
		case "secret":
			f.pb.Secret = true
		case "default":
			fallback, hasDefault = value, true
		case "oneof":
			f.pb.OneOf = strings.Split(value, "|")
		case "from":
			f.pb.DefaultFrom = value
		case "vars":
			f.vars = strings.Split(value, "|")
		default:
			return f, fmt.Errorf("option %q is unknown", key)
		}
	}
	switch {
	case len(f.pb.GetOneOf()) > 0 && f.kind != kindString:
		return f, errors.New("oneof is for strings")
	case hasDefault && f.pb.GetRequired():
		return f, errors.New("is required and has a default")
	case f.pb.GetDefaultFrom() != "" && (f.pb.GetDefaultFrom() != fromUpstream || !f.pb.GetSecret()):
		return f, fmt.Errorf("only a secret comes from elsewhere, and only from %s", fromUpstream)
	case hasDefault && f.pb.GetSecret():
		return f, errors.New("is a secret and has a default")
	case !hasDefault:
		return f, nil
	}
	raw, err := defaultJSON(f, fallback)
	if err != nil {
		return f, fmt.Errorf("default %q: %w", fallback, err)
	}
	f.pb.DefaultJson = string(raw)
	if text := f.set(reflect.New(sf.Type).Elem(), raw); text != "" {
		return f, fmt.Errorf("default %q: %s", fallback, text)
	}
	return f, nil
}

func kindOf(t reflect.Type) kind {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return kindDuration
	case reflect.TypeFor[Size]():
		return kindSize
	case reflect.TypeFor[Expr]():
		return kindExpr
	case reflect.TypeFor[redact.Secret]():
		return kindSecret
	case reflect.TypeFor[[]redact.Secret]():
		return kindSecrets
	case reflect.TypeFor[[]string]():
		return kindList
	case reflect.TypeFor[map[string]string]():
		return kindMap
	}
	switch t.Kind() {
	case reflect.String:
		return kindString
	case reflect.Bool:
		return kindBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return kindInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return kindUint
	case reflect.Float64:
		return kindNumber
	}
	return 0
}

func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || i > 0 && (c == '_' || c >= '0' && c <= '9')) {
			return false
		}
	}
	return name != ""
}
