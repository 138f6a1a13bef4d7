package expr

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// general is an expression that the HCL library evaluates. Its paths are replaced by variables of
// their own, so that only they are decoded and a missing one is null instead of an error.
type general struct {
	plain   tree
	guarded tree // with a call of the guard around each value that ends up in a channel name
}

type tree struct {
	expr hclsyntax.Expression
	vars []variable
}

type variable struct {
	name string // not an identifier, so it hides no variable of a for
	root string
	path []step
}

// guardName is the function that the guarded tree calls; nobody can write its name.
const guardName = "a value"

func newGeneral(src []byte, filename string, start hcl.Pos) (*general, hcl.Diagnostics) {
	src = append(slices.Clone(src), '\n') // which may end a heredoc
	g := &general{}
	for _, t := range []*tree{&g.plain, &g.guarded} {
		var diags hcl.Diagnostics
		// Trees are changed in place, so each is parsed for itself.
		if t.expr, diags = hclsyntax.ParseExpression(src, filename, start); diags.HasErrors() {
			return nil, diags
		}
		if t == &g.guarded {
			t.expr = guard(t.expr, false)
		}
		if diags = hclsyntax.Walk(t.expr, &replacer{tree: t}); diags.HasErrors() {
			return nil, diags
		}
	}
	return g, nil
}

func (g *general) eval(s Scope, channels bool) (list []Value, isList bool, err error) {
	t := &g.plain
	if channels {
		t = &g.guarded
	}
	v, err := t.eval(s)
	if err != nil {
		return nil, false, err
	}
	ty := v.Type()
	if v.IsNull() || !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		one, err := fromCty(v)
		return []Value{one}, false, err
	}
	for _, e := range v.AsValueSlice() {
		one, err := fromCty(e)
		if err != nil {
			return nil, true, err
		}
		list = append(list, one)
	}
	return list, true, nil
}

func (t *tree) eval(s Scope) (v cty.Value, err error) {
	// The library panics on some values nobody thought of; a session must not take others with it.
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("cannot be evaluated with these values")
		}
	}()
	vars := make(map[string]cty.Value, len(t.vars))
	for _, named := range t.vars {
		at, err := s[named.root].at(named.path)
		if err != nil {
			return cty.NilVal, fmt.Errorf("%s: %w", named.root, err)
		}
		if vars[named.name], err = at.cty(); err != nil {
			return cty.NilVal, fmt.Errorf("%s: %w", named.root, err)
		}
	}
	v, diags := t.expr.Value(&hcl.EvalContext{Variables: vars, Functions: functions})
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		var extra hclsyntax.FunctionCallDiagExtra
		if ok := asExtra(d, &extra); ok && errors.Is(extra.FunctionCallError(), ErrSlash) {
			return cty.NilVal, extra.FunctionCallError()
		}
		return cty.NilVal, fmt.Errorf("%s: %s", strings.ToLower(d.Summary), d.Detail)
	}
	if !v.IsWhollyKnown() {
		return cty.NilVal, errors.New("has no value")
	}
	v, _ = v.UnmarkDeep()
	return v, nil
}

func asExtra(d *hcl.Diagnostic, extra *hclsyntax.FunctionCallDiagExtra) (ok bool) {
	*extra, ok = hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	return ok
}

func fromCty(v cty.Value) (Value, error) {
	if v.IsNull() {
		return Null, nil
	}
	if !v.Type().IsPrimitiveType() {
		return Null, errNotText
	}
	if tooLarge(v) {
		return Null, errNumber
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		return Null, errNotText
	}
	return Text(text.AsString()), nil
}

// replacer gives each path of the tree its variable.
type replacer struct {
	tree   *tree
	locals []map[string]struct{}
}

func (r *replacer) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch n := n.(type) {
	case hclsyntax.ChildScope:
		r.locals = append(r.locals, n.LocalNames)
	case *hclsyntax.ScopeTraversalExpr:
		root := n.Traversal.RootName()
		for _, names := range r.locals {
			if _, ok := names[root]; ok {
				return nil
			}
		}
		path, ok := steps(n.Traversal)
		if !ok {
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "Invalid index",
				Detail:   "An index is a whole number from 0 on, or text.",
				Subject:  n.Range().Ptr(),
			}}
		}
		v := variable{name: "path " + strconv.Itoa(len(r.tree.vars)), root: root, path: path}
		r.tree.vars = append(r.tree.vars, v)
		n.Traversal = hcl.Traversal{hcl.TraverseRoot{Name: v.name, SrcRange: n.SrcRange}}
	}
	return nil
}

func (r *replacer) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if _, ok := n.(hclsyntax.ChildScope); ok {
		r.locals = r.locals[:len(r.locals)-1]
	}
	return nil
}

// guard puts a call of the guard around each value that goes from outside into what e gives. Values
// that only decide, as those of a condition, are left alone. part says that e is a part of a
// template or the body of a for, where claims are checked too.
func guard(e hclsyntax.Expression, part bool) hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e
	case *hclsyntax.ParenthesesExpr:
		e.Expression = guard(e.Expression, part)
		return e
	case *hclsyntax.TemplateExpr:
		guardAll(e.Parts, true)
		return e
	case *hclsyntax.TemplateWrapExpr:
		e.Wrapped = guard(e.Wrapped, true)
		return e
	case *hclsyntax.TemplateJoinExpr:
		e.Tuple = guard(e.Tuple, true)
		return e
	case *hclsyntax.ConditionalExpr:
		e.TrueResult, e.FalseResult = guard(e.TrueResult, part), guard(e.FalseResult, part)
		return e
	case *hclsyntax.TupleConsExpr:
		guardAll(e.Exprs, part)
		return e
	case *hclsyntax.ForExpr:
		e.ValExpr = guard(e.ValExpr, true)
		return e
	case *hclsyntax.FunctionCallExpr:
		switch e.Name {
		case "urlencode", "sha256":
			return e
		case "coalesce", "concat", "join", "lower", "upper", "trimspace":
			guardAll(e.Args, part)
			return e
		}
	case *hclsyntax.ScopeTraversalExpr:
		if !part && isClaim(e.Traversal) {
			return e
		}
	}
	rng := e.Range()
	return &hclsyntax.FunctionCallExpr{
		Name: guardName, Args: []hclsyntax.Expression{e},
		NameRange: rng, OpenParenRange: rng, CloseParenRange: rng,
	}
}

func guardAll(list []hclsyntax.Expression, part bool) {
	for i := range list {
		list[i] = guard(list[i], part)
	}
}

var guardFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true}},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		return args[0], cty.Walk(args[0], func(_ cty.Path, v cty.Value) (bool, error) {
			if v.Type() == cty.String && !v.IsNull() && v.IsKnown() && strings.Contains(v.AsString(), "/") {
				return false, fmt.Errorf("%s %w", guardName, ErrSlash)
			}
			return true, nil
		})
	},
})
