// Package expr owns runtime expressions: what an operator writes in bridge.hcl and Bridge evaluates
// for a session, such as `payload.token` or `"user/${user.id}"`. They are HCL expressions and
// templates over a few root variables. It does not decide which roots there are in which place, nor
// where their values come from.
//
// What is not there is null at any depth, also below null. Members reached by a computed index or
// through the variable of a `for` are as HCL has them: missing ones are an error.
//
// A path, and text made of paths, is taken from the JSON it lies in as it stands: only what the
// expression names is looked at, numbers keep their digits and text its bytes. Anything else
// (conditions, arithmetic, `for`) is evaluated by the HCL library on decoded values, where numbers
// are written as HCL writes them and text is in Unicode's composed form.
//
// Functions: coalesce, concat, contains, join, length, lower, replace, sha256, split, trimprefix,
// trimspace, trimsuffix, upper, urlencode. Of null, lower, sha256, trimspace, upper and urlencode
// make null.
package expr

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/protocol-bridge/bridge/internal/channel"
)

// ErrSlash is wrapped by the errors of [Expr.Channels] for a value from outside that holds a "/".
var ErrSlash = errors.New(`holds a "/", which would make it part of the channel's structure; use urlencode()`)

var (
	errNullPart = errors.New("is null, which has no place in text")
	errNotText  = errors.New("is a list or an object where text is needed")
)

// Expr is a checked expression. It is immutable and safe for concurrent use.
type Expr struct {
	source string
	roots  []string
	tuple  bool // written as [a, b], each an item; else there is one item
	items  []item
}

// item is compiled one way or the other.
type item struct {
	fast *node
	slow *general
}

// Parse checks source text that begins at start in the named file. roots are the variables that it
// may name; an unknown variable or function is an error that says where and what was perhaps meant.
// The Expr is nil when the diagnostics have errors.
func Parse(src []byte, filename string, start hcl.Pos, roots []string) (*Expr, hcl.Diagnostics) {
	parsed, diags := hclsyntax.ParseExpression(src, filename, start)
	if diags.HasErrors() {
		return nil, diags
	}
	c := &compiler{src: src, filename: filename, start: start, roots: roots, used: map[string]bool{}}
	if diags = append(diags, c.check(parsed)...); diags.HasErrors() {
		return nil, diags
	}
	e := &Expr{source: string(src)}
	for root := range c.used {
		e.roots = append(e.roots, root)
	}
	slices.Sort(e.roots)

	whole := unwrap(parsed)
	parts := []hclsyntax.Expression{parsed}
	if t, ok := whole.(*hclsyntax.TupleConsExpr); ok {
		e.tuple, parts = true, t.Exprs
	}
	for _, part := range parts {
		it, more := c.item(part)
		if diags = append(diags, more...); more.HasErrors() {
			return nil, diags
		}
		e.items = append(e.items, it)
	}
	if len(e.roots) == 0 {
		if _, err := e.values(nil, false); err != nil {
			return nil, append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Invalid expression",
				Detail:   fmt.Sprintf("This expression can never be evaluated: %s.", err),
				Subject:  parsed.Range().Ptr(),
			})
		}
	}
	return e, diags
}

// New does what [Parse] does for an attribute's expression that is parsed already. file is the whole
// file that it was parsed from.
func New(e hcl.Expression, file []byte, roots []string) (*Expr, hcl.Diagnostics) {
	rng := e.Range()
	if !rng.CanSliceBytes(file) {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Invalid expression",
			Detail:   "The source text of this expression is not there.",
			Subject:  &rng,
		}}
	}
	src := rng.SliceBytes(file)
	if bytes.Contains(src, []byte("<<")) {
		// The range of a heredoc ends before the newline that ends its marker.
		src = append(slices.Clone(src), '\n')
	}
	return Parse(src, rng.Filename, rng.Start, roots)
}

// Source returns the text that the expression was parsed from.
func (e *Expr) Source() string { return e.source }

// Roots returns the root variables that the expression names, sorted: those that a [Scope] for it
// needs.
func (e *Expr) Roots() []string { return slices.Clone(e.roots) }

// String evaluates to text; ok is false when the value is null. Numbers and bools are written as
// text, a list or an object is an error.
func (e *Expr) String(s Scope) (v string, ok bool, err error) {
	var one Value
	if e.tuple {
		return "", false, e.fail(errNotText)
	}
	if fast := e.items[0].fast; fast != nil {
		one, err = fast.eval(s, false)
	} else {
		var isList bool
		var list []Value
		list, isList, err = e.items[0].slow.eval(s, false)
		switch {
		case err != nil:
		case isList:
			err = errNotText
		default:
			one = list[0]
		}
	}
	switch {
	case err != nil:
		return "", false, e.fail(err)
	case one.kind == kindNull:
		return "", false, nil
	case !one.isText():
		return "", false, e.fail(errNotText)
	}
	return one.text, true, nil
}

// Strings evaluates to a list: of one text, or of the elements of a list of texts. Null is an empty
// list, and null elements are left out.
func (e *Expr) Strings(s Scope) ([]string, error) { return e.strings(s, false) }

// Channels evaluates to channel names as [Expr.Strings] does, and refuses with an error
//
//   - what is not a channel name ([channel.Check]);
//   - a value from outside that holds a "/" ([ErrSlash]), unless it went through urlencode(): put
//     into a template it would change which channel that is. Only claims that are taken whole, not
//     as a part of a template, may hold one: they name channels as the auth backend gave them.
//
// An error means that the session must be refused: there is no list without the bad ones.
func (e *Expr) Channels(s Scope) ([]string, error) {
	names, err := e.strings(s, true)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := channel.Check(name); err != nil {
			return nil, e.fail(err)
		}
	}
	return names, nil
}

func (e *Expr) strings(s Scope, channels bool) ([]string, error) {
	values, err := e.values(s, channels)
	if err != nil {
		return nil, e.fail(err)
	}
	list := make([]string, 0, len(values))
	for _, v := range values {
		switch {
		case v.kind == kindNull:
		case v.isText():
			list = append(list, v.text)
		default:
			return nil, e.fail(errNotText)
		}
	}
	return list, nil
}

// values returns the elements when the value is a list, and else the value itself.
func (e *Expr) values(s Scope, channels bool) ([]Value, error) {
	if !e.tuple {
		list, _, err := e.items[0].eval(s, channels)
		return list, err
	}
	list := make([]Value, 0, len(e.items))
	for _, it := range e.items {
		v, isList, err := it.eval(s, channels)
		if err != nil {
			return nil, err
		}
		if isList {
			return nil, errNotText
		}
		list = append(list, v...)
	}
	return list, nil
}

func (it item) eval(s Scope, channels bool) (list []Value, isList bool, err error) {
	if it.slow != nil {
		return it.slow.eval(s, channels)
	}
	v, err := it.fast.eval(s, channels)
	if err != nil {
		return nil, false, err
	}
	if list, isList, err = v.elements(); isList {
		if err == nil && channels && !it.fast.whole {
			err = it.fast.checkSlash(list...)
		}
		return list, true, err
	}
	if channels && !it.fast.safe && !it.fast.whole {
		err = it.fast.checkSlash(v)
	}
	return []Value{v}, false, err
}

// fail says which expression it was, on one line.
func (e *Expr) fail(err error) error {
	const most = 80
	src := strings.Join(strings.Fields(e.source), " ")
	if len(src) > most {
		src = strings.ToValidUTF8(src[:most], "") + "…"
	}
	return fmt.Errorf("expression %s: %w", src, err)
}
