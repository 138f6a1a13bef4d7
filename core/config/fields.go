package config

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/protocol-bridge/bridge/internal/expr"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// pluginRoots are the variables that an expression in a plugin's block may name.
var pluginRoots = []string{"user", "claims", "request", "session", "context", "payload", "message"}

// field reads the value of a described field in the form that the plugin gets it in; nil when it is
// wrong, which is reported.
func (d *decoder) field(f *pluginv1.Field, attr *hcl.Attribute, exposed bool) any {
	before := len(d.diags)
	value := d.fieldValue(f, attr, exposed)
	if len(d.diags) > before && d.diags[before:].HasErrors() {
		return nil
	}
	return value
}

func (d *decoder) fieldValue(f *pluginv1.Field, attr *hcl.Attribute, exposed bool) any {
	if f.GetSecret() {
		return d.secretField(f, attr, exposed)
	}
	switch f.GetType() {
	case pluginv1.FieldType_FIELD_TYPE_BOOL:
		var v bool
		d.bool(attr, &v)
		return v
	case pluginv1.FieldType_FIELD_TYPE_INT:
		// Whole numbers that JSON parsers of other languages keep exactly.
		const most = 1<<53 - 1
		var v int
		d.int(attr, -most, most, &v)
		return v
	case pluginv1.FieldType_FIELD_TYPE_NUMBER:
		return d.numberField(attr)
	case pluginv1.FieldType_FIELD_TYPE_DURATION:
		var v time.Duration
		var written string
		if d.duration(attr, 0, &v) {
			d.text(attr, &written)
		}
		return written
	case pluginv1.FieldType_FIELD_TYPE_SIZE:
		var v int64
		d.size(attr, &v)
		return v
	case pluginv1.FieldType_FIELD_TYPE_STRING_LIST:
		var list []string
		if d.texts(attr, &list) {
			for _, s := range list {
				d.oneOf(f, attr, s)
			}
		}
		return list
	case pluginv1.FieldType_FIELD_TYPE_STRING_MAP:
		example := f.GetExample()
		if example == "" {
			example = `{ name = "value" }`
		}
		names, values, _ := d.table(attr, example, false)
		table := make(map[string]string, len(names))
		for i, name := range names {
			table[name] = values[i]
		}
		return table
	case pluginv1.FieldType_FIELD_TYPE_EXPRESSION:
		e, diags := expr.New(attr.Expr, d.src.file.Bytes, pluginRoots)
		d.diags = append(d.diags, diags...)
		if e == nil {
			return nil
		}
		return e.Source()
	case pluginv1.FieldType_FIELD_TYPE_STRING, pluginv1.FieldType_FIELD_TYPE_UNSPECIFIED:
	}
	var s string
	if d.text(attr, &s) {
		d.oneOf(f, attr, s)
	}
	return s
}

// secretField reads a secret: one text, or for a list field several, the current one first.
func (d *decoder) secretField(f *pluginv1.Field, attr *hcl.Attribute, exposed bool) any {
	secrets := d.secrets(attr, exposed)
	list := make([]string, 0, len(secrets))
	for _, s := range secrets {
		list = append(list, s.Reveal())
	}
	if f.GetType() == pluginv1.FieldType_FIELD_TYPE_STRING_LIST {
		return list
	}
	if len(list) > 1 {
		d.error(attr.Expr.Range(), "Wrong type", "%q needs one secret, but this is a list of several.", attr.Name)
	}
	return strings.Join(list, "")
}

func (d *decoder) numberField(attr *hcl.Attribute) any {
	v, ok := d.value(attr, false)
	if !ok {
		return nil
	}
	if v.Type() != cty.Number {
		d.wrongType(attr, "a number", v)
		return nil
	}
	n := v.AsBigFloat()
	if approx, _ := n.Float64(); math.IsInf(approx, 0) {
		d.error(attr.Expr.Range(), "Invalid value", "%q needs a smaller number.", attr.Name)
		return nil
	}
	return json.RawMessage(n.Text('g', -1))
}

func (d *decoder) oneOf(f *pluginv1.Field, attr *hcl.Attribute, s string) {
	if allowed := f.GetOneOf(); len(allowed) > 0 && !slices.Contains(allowed, s) {
		d.error(attr.Expr.Range(), "Invalid value", "%q cannot be %q.%s", attr.Name, s, suggest(s, allowed, "It is one of"))
	}
}
