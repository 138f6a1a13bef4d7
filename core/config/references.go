package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

var referenceExamples = map[string]string{
	"auth":     "auth.static.dev",
	"listener": "listener.public",
	"upstream": "upstream.logux.app",
}

// reference resolves an attribute that refers to a block of that type. what is nil when it is
// absent, wrong, or refers to a block that is broken.
func (d *decoder) reference(attr *hcl.Attribute, root string) (ref string, what any) {
	if attr == nil {
		return "", nil
	}
	t, diags := hcl.AbsTraversalForExpr(attr.Expr)
	if diags.HasErrors() {
		d.notReference(attr, root)
		return "", nil
	}
	parts := []string{t.RootName()}
	for _, p := range t[1:] {
		a, ok := p.(hcl.TraverseAttr)
		if !ok {
			d.notReference(attr, root)
			return "", nil
		}
		parts = append(parts, a.Name)
	}
	ref = strings.Join(parts, ".")
	if root == "auth" && ref == "auth.none" {
		return ref, nil
	}
	if what, ok := d.refs[ref]; ok && parts[0] == root {
		return ref, what
	}
	switch known := d.known(root); {
	case parts[0] != root && slices.Contains(referenceRoots, parts[0]):
		d.error(attr.Expr.Range(), "Wrong reference", "%q refers to %s, as %s; %s is something else.",
			attr.Name, article(root), referenceExamples[root], ref)
	case parts[0] == root && len(known) == 0 && root != "auth":
		d.error(attr.Expr.Range(), "Unresolved reference", "There is no %s, and no other %s in this file.", ref, root)
	default:
		if root == "auth" {
			known = append(known, "auth.none")
		}
		d.error(attr.Expr.Range(), "Unresolved reference", "There is no %s.%s", ref, suggest(ref, known, "There are"))
	}
	return ref, nil
}

func article(root string) string {
	if strings.ContainsAny(root[:1], "aeiou") {
		return "an " + root
	}
	return "a " + root
}

// known returns what can be referred to, sorted.
func (d *decoder) known(root string) []string {
	var refs []string
	for ref := range d.refs {
		if strings.HasPrefix(ref, root+".") {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}

func (d *decoder) notReference(attr *hcl.Attribute, root string) {
	example := referenceExamples[root]
	if v, diags := attr.Expr.Value(nil); !diags.HasErrors() && !v.IsNull() && v.Type() == cty.String {
		if _, ok := d.refs[v.AsString()]; ok {
			example = v.AsString()
		}
	}
	d.error(attr.Expr.Range(), "Invalid reference", "%q needs a reference, written without quotes: %s.", attr.Name, fmt.Sprintf("%s = %s", attr.Name, example))
}
