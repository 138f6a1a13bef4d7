package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// reference resolves an attribute that refers to a block of that type. what is nil when it is
// absent, wrong, or refers to a block that is broken.
func (d *decoder) reference(attr *hcl.Attribute, root string) (ref string, what any) {
	if attr == nil {
		return "", nil
	}
	return d.refer(attr.Expr, attr, root)
}

// refer resolves one reference in an attribute to a block of one of the types.
func (d *decoder) refer(e hcl.Expression, attr *hcl.Attribute, roots ...string) (ref string, what any) {
	t, diags := hcl.AbsTraversalForExpr(e)
	if diags.HasErrors() {
		d.notReference(e, attr)
		return "", nil
	}
	parts := []string{t.RootName()}
	for _, p := range t[1:] {
		a, ok := p.(hcl.TraverseAttr)
		if !ok {
			d.notReference(e, attr)
			return "", nil
		}
		parts = append(parts, a.Name)
	}
	ref = strings.Join(parts, ".")
	meant := slices.Contains(roots, parts[0])
	if ref == "auth.none" && meant {
		return ref, nil
	}
	if what, ok := d.refs[ref]; ok && meant {
		return ref, what
	}
	root := roots[0]
	if meant {
		root = parts[0]
	}
	switch known := d.known(root); {
	case !meant && slices.Contains(referenceRoots, parts[0]):
		d.error(e.Range(), "Wrong reference", "%q refers to %s, as %s; %s is something else.",
			attr.Name, article(strings.Join(roots, " or ")), d.example(attr, ""), ref)
	case meant && len(known) == 0 && root != "auth":
		d.error(e.Range(), "Unresolved reference", "There is no %s, and no other %s in this file.", ref, root)
	case slices.Contains(known, root+"."+ref):
		d.error(e.Range(), "Unresolved reference", "There is no %s. Did you mean %q?", ref, root+"."+ref)
	default:
		if root == "auth" && len(roots) == 1 {
			known = append(known, "auth.none")
		}
		d.error(e.Range(), "Unresolved reference", "There is no %s.%s", ref, suggest(ref, known, "There are"))
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

func (d *decoder) notReference(e hcl.Expression, attr *hcl.Attribute) {
	example := d.example(attr, "")
	if v, diags := e.Value(nil); !diags.HasErrors() && !v.IsNull() && v.Type() == cty.String {
		if _, ok := d.refs[v.AsString()]; ok {
			example = v.AsString()
		}
	}
	how := "a reference, written without quotes"
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		how = "one reference, without brackets"
		if len(list) == 1 {
			if t, diags := hcl.AbsTraversalForExpr(list[0]); !diags.HasErrors() {
				example = traversalText(t)
			}
		}
	}
	d.error(e.Range(), "Invalid reference", "%q needs %s: %s = %s.", attr.Name, how, attr.Name, example)
}
