package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

type op uint8

const (
	opLiteral op = iota
	opPath
	opConcat
	opCall
)

// node is an expression, or a part of one, that is evaluated without the HCL library.
type node struct {
	op    op
	value Value  // opLiteral
	root  string // opPath
	path  []step
	parts []*node // opConcat; opCall has one, its argument
	call  func(string) string
	name  string // for errors: the path as written, or the function's name

	safe  bool // what it gives from outside holds no "/", or is checked within
	whole bool // it is a claim, which may hold a "/" where it is not a part of a template
}

func (n *node) eval(s Scope, channels bool) (Value, error) {
	switch n.op {
	case opLiteral:
		return n.value, nil
	case opPath:
		v, err := s[n.root].at(n.path)
		if err != nil {
			return Null, fmt.Errorf("%s: %w", n.name, err)
		}
		return v, nil
	case opCall:
		v, err := n.parts[0].eval(s, channels)
		switch {
		case err != nil || v.kind == kindNull:
			return Null, err
		case !v.isText():
			return Null, fmt.Errorf("the argument of %s %w", n.name, errNotText)
		}
		return Text(n.call(v.text)), nil
	case opConcat:
	}
	var b strings.Builder
	for _, part := range n.parts {
		v, err := part.eval(s, channels)
		switch {
		case err != nil:
			return Null, err
		case v.kind == kindNull:
			return Null, fmt.Errorf("%s %w", part.name, errNullPart)
		case !v.isText():
			return Null, fmt.Errorf("%s %w", part.name, errNotText)
		}
		if channels && !part.safe {
			if err := part.checkSlash(v); err != nil {
				return Null, err
			}
		}
		b.WriteString(v.text)
	}
	return Text(b.String()), nil
}

func (n *node) checkSlash(values ...Value) error {
	for _, v := range values {
		if strings.Contains(v.text, "/") {
			return fmt.Errorf("%s %w", n.name, ErrSlash)
		}
	}
	return nil
}

// compiler knows the text of an expression, and while it is checked gathers what it names.
type compiler struct {
	src      []byte
	filename string
	start    hcl.Pos
	roots    []string
	used     map[string]bool
}

// item compiles e for the faster way of evaluating it, if there is one.
func (c *compiler) item(e hclsyntax.Expression) (item, hcl.Diagnostics) {
	if n := c.node(e); n != nil {
		return item{fast: n}, nil
	}
	g, diags := newGeneral(c.text(e), c.filename, e.Range().Start)
	return item{slow: g}, diags
}

func (c *compiler) text(e hclsyntax.Expression) []byte {
	rng := e.Range()
	return c.src[rng.Start.Byte-c.start.Byte : rng.End.Byte-c.start.Byte]
}

// node returns nil for what only the HCL library can evaluate.
func (c *compiler) node(e hclsyntax.Expression) *node {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return c.node(e.Expression)
	case *hclsyntax.LiteralValueExpr:
		return literal(e.Val)
	case *hclsyntax.ScopeTraversalExpr:
		return c.path(e.Traversal)
	case *hclsyntax.TemplateWrapExpr:
		n := c.node(e.Wrapped)
		if n != nil {
			n.whole = false
		}
		return n
	case *hclsyntax.TemplateExpr:
		n := &node{op: opConcat, name: "the template", safe: true}
		for _, part := range e.Parts {
			p := c.node(part)
			if p == nil {
				return nil
			}
			n.parts = append(n.parts, p)
		}
		if len(n.parts) == 0 {
			return &node{value: Text(""), safe: true}
		}
		if len(n.parts) == 1 && n.parts[0].op == opLiteral && n.parts[0].value.isText() {
			return &node{value: Text(n.parts[0].value.text), safe: true}
		}
		return n
	case *hclsyntax.FunctionCallExpr:
		call, ok := textFuncs[e.Name]
		if !ok || e.ExpandFinal || len(e.Args) != 1 {
			return nil
		}
		arg := c.node(e.Args[0])
		if arg == nil {
			return nil
		}
		return &node{
			op: opCall, call: call, name: e.Name + "()", parts: []*node{arg},
			safe: arg.safe || cleans(e.Name), whole: arg.whole,
		}
	}
	return nil
}

// cleans reports whether what a function returns never holds a "/" from its arguments.
func cleans(function string) bool { return function == "urlencode" || function == "sha256" }

func literal(v cty.Value) *node {
	n := &node{op: opLiteral, name: "the literal", safe: true}
	if v.IsNull() {
		return n
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		return nil
	}
	n.value = Text(text.AsString())
	switch v.Type() {
	case cty.Number:
		n.value.kind = kindNumber
	case cty.Bool:
		n.value.kind = kindBool
	}
	return n
}

func (c *compiler) path(t hcl.Traversal) *node {
	path, ok := steps(t)
	if !ok {
		return nil
	}
	return &node{op: opPath, root: t.RootName(), path: path, name: pathName(t), whole: isClaim(t)}
}

// isClaim reports whether t is what the auth backend said about the user.
func isClaim(t hcl.Traversal) bool {
	if t.RootName() == "claims" {
		return true
	}
	if t.RootName() == "user" && len(t) > 1 {
		a, ok := t[1].(hcl.TraverseAttr)
		return ok && a.Name == "claims"
	}
	return false
}

func steps(t hcl.Traversal) ([]step, bool) {
	var path []step
	for _, part := range t[1:] {
		switch part := part.(type) {
		case hcl.TraverseAttr:
			path = append(path, step{name: part.Name})
		case hcl.TraverseIndex:
			switch part.Key.Type() {
			case cty.String:
				path = append(path, step{name: part.Key.AsString()})
			case cty.Number:
				n, acc := part.Key.AsBigFloat().Int64()
				const most = 1 << 31
				if acc != 0 || n < 0 || n > most {
					return nil, false
				}
				path = append(path, step{index: int(n), isIdx: true})
			default:
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return path, true
}

// pathName is the path as an operator writes it.
func pathName(t hcl.Traversal) string {
	var b strings.Builder
	b.WriteString(t.RootName())
	for _, part := range t[1:] {
		switch part := part.(type) {
		case hcl.TraverseAttr:
			b.WriteString("." + part.Name)
		case hcl.TraverseIndex:
			if part.Key.Type() == cty.String {
				fmt.Fprintf(&b, "[%q]", part.Key.AsString())
			} else if part.Key.Type() == cty.Number {
				fmt.Fprintf(&b, "[%s]", part.Key.AsBigFloat().Text('f', -1))
			}
		}
	}
	return b.String()
}

// unwrap takes parentheses off.
func unwrap(e hclsyntax.Expression) hclsyntax.Expression {
	for {
		p, ok := e.(*hclsyntax.ParenthesesExpr)
		if !ok {
			return e
		}
		e = p.Expression
	}
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
