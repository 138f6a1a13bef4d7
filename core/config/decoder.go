package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// decoder gathers what is found wrong while a file, or a plugin's blocks of it, is decoded.
type decoder struct {
	src   *source
	diags hcl.Diagnostics
	ctx   *hcl.EvalContext
	// What can be referred to, by reference ("listener.public"), and where; nil where it is broken.
	refs    map[string]any
	defined map[string]hcl.Range
	// examples are the declared ones of the attributes that were met.
	examples map[*hcl.Attribute]string
}

func newDecoder(src *source) *decoder {
	return &decoder{
		src: src, refs: map[string]any{}, defined: map[string]hcl.Range{}, examples: map[*hcl.Attribute]string{},
		ctx: &hcl.EvalContext{Functions: map[string]function.Function{
			"env":         textFunction("name", environment),
			"secret_file": textFunction("path", func(path string) (string, error) { return secretFile(src.path(path)) }),
		}},
	}
}

// fault is an error of a function that is shown in its own words.
type fault struct{ summary, detail string }

func (f *fault) Error() string { return f.detail }

func textFunction(param string, f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: param, Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(s), nil
		},
	})
}

func environment(name string) (string, error) {
	v, ok := os.LookupEnv(name)
	if !ok {
		what := "The environment variable is not set. Set it, or write the value in another way."
		if envName.MatchString(name) {
			what = fmt.Sprintf("The environment variable %s is not set. Set it, or write the value in another way.", name)
		}
		return "", &fault{"Environment variable not set", what}
	}
	return v, nil
}

func secretFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", &fault{"Secret file not readable", "Reading it says: " + err.Error() + "."}
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func (d *decoder) error(at hcl.Range, summary, detail string, args ...any) {
	d.diags = append(d.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at,
	})
}

func (d *decoder) warn(at hcl.Range, summary, detail string, args ...any) {
	d.diags = append(d.diags, &hcl.Diagnostic{
		Severity: hcl.DiagWarning, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at,
	})
}

// content decodes a body by what is declared of it; what is not part of that is reported with what is.
func (d *decoder) content(body hcl.Body, s *BlockSpec) *hcl.BodyContent {
	content, diags := body.Content(s.schema())
	for _, diag := range diags {
		s.explain(diag)
	}
	d.diags = append(d.diags, diags...)
	for i := range s.Attrs {
		a := &s.Attrs[i]
		attr := content.Attributes[a.Name]
		if attr == nil {
			if a.Required {
				d.error(body.MissingItemRange(), "Missing required argument", "%s", a.missing(s.what()))
			}
			continue
		}
		d.examples[attr] = a.Example
	}
	return content
}

// explain puts what the library found wrong with a body into words for who wrote it.
func (s *BlockSpec) explain(diag *hcl.Diagnostic) {
	problem, typ, _ := strings.Cut(diag.Summary, " for ")
	switch b := s.block(typ); {
	case b != nil && (strings.HasPrefix(problem, "Missing ") || strings.HasPrefix(problem, "Extraneous label")):
		diag.Summary, diag.Detail = "Wrong labels", fmt.Sprintf("%s begins like this: %s { … }", capital(b.what()), b.Header())
	case !strings.HasPrefix(diag.Summary, "Unsupported "):
	case strings.Contains(diag.Detail, "Did you mean"):
	default:
		_, rest, _ := strings.Cut(diag.Detail, `"`)
		name, _, _ := strings.Cut(rest, `"`)
		where := s.elsewhere(name)
		if strings.HasPrefix(diag.Summary, "Unsupported block") {
			where = fileSpec.around(name)
		}
		if where == "" {
			where = s.expected()
		}
		diag.Detail += " " + where
	}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// single returns the only block of a type, or nil; further ones are errors.
func (d *decoder) single(content *hcl.BodyContent, kind string) *hcl.Block {
	blocks := content.Blocks.OfType(kind)
	if len(blocks) == 0 {
		return nil
	}
	for _, b := range blocks[1:] {
		d.error(b.DefRange, "Duplicate "+kind+" block", "There is one %s block already, at %s.", kind, place(blocks[0].DefRange))
	}
	return blocks[0]
}

// place is how one diagnostic points at a second place.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", filepath.Base(r.Filename), r.Start.Line) }

// roots of references; naming one where a value is needed deserves its own words.
var referenceRoots = []string{"auth", "listener", "upstream", "plugin"}

// value evaluates an attribute to something that is neither null nor unknown. What it finds wrong
// with a secret does not name it.
func (d *decoder) value(attr *hcl.Attribute, secret bool) (cty.Value, bool) {
	vars := attr.Expr.Variables()
	for _, t := range vars {
		switch root := t.RootName(); {
		case secret:
			d.error(t.SourceRange(), "Invalid value", `A secret is text in quotes, env("NAME") or secret_file("path").`)
		case slices.Contains(referenceRoots, root):
			d.error(t.SourceRange(), "Reference used as a value",
				"%s is a reference, which has no value; it can stand only where a block of that kind is meant. %q needs a value.",
				traversalText(t), attr.Name)
		default:
			d.error(t.SourceRange(), "Invalid value",
				"There is no variable %q: values are written out, or taken by env(\"NAME\") or secret_file(\"path\"). If text is meant, put it in quotes.", root)
		}
	}
	if len(vars) > 0 {
		return cty.NilVal, false
	}
	v, diags := attr.Expr.Value(d.ctx)
	for _, diag := range diags {
		diag.EvalContext, diag.Expression = nil, nil
		if extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](diag); ok {
			if f, ok := errors.AsType[*fault](extra.FunctionCallError()); ok {
				diag.Summary, diag.Detail = f.summary, f.detail
			}
		}
	}
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	if v.IsNull() {
		d.error(attr.Expr.Range(), "Missing value", "%q has no value: it is null. Leave it out for its default.", attr.Name)
		return cty.NilVal, false
	}
	return v, v.IsWhollyKnown()
}

// example is the declared one of an attribute, or any of its type.
func (d *decoder) example(attr *hcl.Attribute, otherwise string) string {
	if e := d.examples[attr]; e != "" {
		return e
	}
	return otherwise
}

func (d *decoder) wrongType(attr *hcl.Attribute, want string, got cty.Value) {
	is := typeName(got.Type())
	if is == "a list" && strings.Contains(want, is) {
		is = "a list of other things"
	}
	d.error(attr.Expr.Range(), "Wrong type", "%q needs %s, but this is %s.", attr.Name, want, is)
}

func typeName(t cty.Type) string {
	switch {
	case t == cty.String:
		return "text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		return "a table"
	}
	return "null"
}

func traversalText(t hcl.Traversal) string {
	parts := []string{t.RootName()}
	for _, p := range t[1:] {
		if a, ok := p.(hcl.TraverseAttr); ok {
			parts = append(parts, a.Name)
		}
	}
	return strings.Join(parts, ".")
}
