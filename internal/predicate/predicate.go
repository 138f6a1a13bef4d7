package predicate

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Bounds of a condition.
const (
	MaxDepth = 16       // of conditions in each other, and of the lists and objects of a value
	MaxNodes = 1000     // conditions
	MaxBytes = 64 << 10 // of paths and values together
	MaxPath  = 64       // steps of a path
)

// Where is a condition on a JSON document: everything that is set must hold. The zero value always
// does.
type Where struct {
	All  []Where
	Any  []Where // one of them; empty: not asked
	Not  *Where
	Test *Test
}

// Test looks at one value of a JSON document. Exactly one of Equals, Contains, In and Exists is set.
// Values are JSON and are compared as JSON: numbers by what they are, to the last digit, strings by
// what they say, objects whatever the order of their keys; of duplicate keys the last counts. Where
// the path names no value, only an Exists of false holds.
type Test struct {
	Path     string   // JSON Pointer (RFC 6901); empty: the document itself
	Equals   []byte   // the value
	Contains []byte   // an element of the list, or part of the string, that the path names
	In       [][]byte // the values it may be; nil: not asked
	Exists   *bool    // whether there is a value; null is one
}

// Predicate is a condition ready to be asked. It does not change, and is safe for use by several
// goroutines.
type Predicate struct{ root node }

// space is what may be around a JSON value.
const space = " \t\r\n"

type node struct {
	all, any []node
	not      *node
	test     *test
}

// Compile checks a condition and prepares it; nil is one that always holds. The error is a sentence
// for whoever wrote the condition. Nothing of w is kept.
func Compile(w *Where) (*Predicate, error) {
	if w == nil {
		return &Predicate{}, nil
	}
	var c compiler
	root, err := c.where(w, 1)
	if err != nil {
		return nil, err
	}
	return &Predicate{root}, nil
}

// Match reports whether the condition holds for doc, which must be valid JSON. It keeps nothing of it.
func (p *Predicate) Match(doc []byte) bool {
	return p.root.match(bytes.Trim(doc, space))
}

func (n *node) match(doc []byte) bool {
	for i := range n.all {
		if !n.all[i].match(doc) {
			return false
		}
	}
	if n.not != nil && n.not.match(doc) || n.test != nil && !n.test.match(doc) {
		return false
	}
	for i := range n.any {
		if n.any[i].match(doc) {
			return true
		}
	}
	return len(n.any) == 0
}

// compiler counts what a condition is made of.
type compiler struct{ nodes, bytes int }

func (c *compiler) where(w *Where, depth int) (n node, err error) {
	if depth > MaxDepth {
		return n, fmt.Errorf("conditions lie more than %d deep in each other", MaxDepth)
	}
	if c.nodes++; c.nodes > MaxNodes {
		return n, fmt.Errorf("there are more than %d conditions", MaxNodes)
	}
	if n.all, err = c.list(w.All, depth); err != nil {
		return n, err
	}
	if n.any, err = c.list(w.Any, depth); err != nil {
		return n, err
	}
	if w.Not != nil {
		not, err := c.where(w.Not, depth+1)
		if err != nil {
			return n, err
		}
		n.not = &not
	}
	if w.Test != nil {
		if n.test, err = c.test(w.Test); err != nil {
			return n, fmt.Errorf("path %q: %w", shorten(w.Test.Path), err)
		}
	}
	return n, nil
}

func (c *compiler) list(list []Where, depth int) (nodes []node, err error) {
	for i := range list {
		n, err := c.where(&list[i], depth+1)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func (c *compiler) test(w *Test) (t *test, err error) {
	ops := 0
	for _, set := range []bool{w.Equals != nil, w.Contains != nil, w.In != nil, w.Exists != nil} {
		if set {
			ops++
		}
	}
	if ops != 1 {
		return nil, errors.New("want one of equals, contains, in and exists")
	}
	if err := c.count(len(w.Path)); err != nil {
		return nil, err
	}
	t = new(test)
	if t.path, err = pointer(w.Path); err != nil {
		return nil, err
	}
	switch {
	case w.Equals != nil:
		t.equals, err = c.value("equals", w.Equals)
	case w.Contains != nil:
		t.contains, err = c.value("contains", w.Contains)
	case w.In != nil:
		t.in, err = c.set(w.In)
	default:
		t.absent = !*w.Exists
	}
	return t, err
}

func (c *compiler) value(name string, raw []byte) (*value, error) {
	if err := c.count(len(raw)); err != nil {
		return nil, err
	}
	if !rawjson.Valid(raw) {
		return nil, fmt.Errorf("%s is not JSON", name)
	}
	v, err := valueOf(bytes.Clone(bytes.Trim(raw, space)), 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &v, nil
}

// set sorts values so that strings, of which there may be many, are looked up.
func (c *compiler) set(list [][]byte) (*set, error) {
	s := &set{texts: make(map[string]bool)}
	for _, raw := range list {
		v, err := c.value("in", raw)
		switch {
		case err != nil:
			return nil, err
		case v.kind == rawjson.String:
			s.texts[string(v.text)] = true
		default:
			s.others = append(s.others, *v)
		}
	}
	return s, nil
}

func (c *compiler) count(n int) error {
	if c.bytes += n; c.bytes > MaxBytes {
		return fmt.Errorf("paths and values have more than %d bytes", MaxBytes)
	}
	return nil
}

// shorten makes a path fit for an error.
func shorten(path string) string {
	const most = 64
	if len(path) > most {
		return strings.ToValidUTF8(path[:most], "") + "…"
	}
	return path
}
