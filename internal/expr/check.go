package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/protocol-bridge/bridge/internal/nearest"
)

// Members lists what those roots have whose members are fixed; naming another member is an error
// when an expression is parsed. Whoever makes a [Scope] gives these members these names.
var Members = map[string][]string{
	"user":    {"id", "claims"},
	"request": {"path", "query", "headers", "cookie", "bearer", "remote_address", "method", "host"},
	"message": {"channel", "type", "payload", "author", "time", "id"},
}

// check finds unknown variables, members and functions, and wrong numbers of arguments.
func (c *compiler) check(e hclsyntax.Expression) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, t := range e.Variables() {
		root := t.RootName()
		if !slices.Contains(c.roots, root) {
			diags = append(diags, unknown("Unknown variable",
				fmt.Sprintf("There is no variable %q here.", root), root, c.roots, "Variables here", t.SourceRange()))
			continue
		}
		c.used[root] = true
		members := Members[root]
		if len(t) < 2 || members == nil {
			continue
		}
		if path, ok := steps(t[:2]); ok && !path[0].isIdx && !slices.Contains(members, path[0].name) {
			diags = append(diags, unknown("Unknown variable",
				fmt.Sprintf("The variable %q has no %q.", root, path[0].name), path[0].name, members, "It has", t.SourceRange()))
		}
	}
	return append(diags, hclsyntax.VisitAll(e, checkNode)...)
}

func checkNode(n hclsyntax.Node) hcl.Diagnostics {
	switch n := n.(type) {
	case *hclsyntax.FunctionCallExpr:
		return checkCall(n)
	case *hclsyntax.LiteralValueExpr:
		if tooLarge(n.Val) {
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "Number out of range",
				Detail:   "A number has at most some 400 digits.",
				Subject:  n.Range().Ptr(),
			}}
		}
	}
	return nil
}

func checkCall(call *hclsyntax.FunctionCallExpr) hcl.Diagnostics {
	f, ok := functions[call.Name]
	if !ok || call.Name == guardName {
		names := slices.DeleteFunc(sortedNames(functions), func(s string) bool { return s == guardName })
		return hcl.Diagnostics{unknown("Unknown function",
			fmt.Sprintf("There is no function %q.", call.Name), call.Name, names, "Functions", call.NameRange)}
	}
	if call.ExpandFinal {
		return nil
	}
	least, given := len(f.Params()), len(call.Args)
	if given >= least && (given == least || f.VarParam() != nil) {
		return nil
	}
	params := make([]string, 0, least+1)
	for _, p := range f.Params() {
		params = append(params, p.Name)
	}
	if p := f.VarParam(); p != nil {
		params = append(params, p.Name+"...")
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Wrong number of arguments",
		Detail:   fmt.Sprintf("The function takes other arguments: %s(%s).", call.Name, strings.Join(params, ", ")),
		Subject:  call.Range().Ptr(),
	}}
}

func unknown(summary, what, name string, known []string, list string, at hcl.Range) *hcl.Diagnostic {
	if n := nearest.Name(name, known); n != "" {
		what += fmt.Sprintf(" Did you mean %q?", n)
	} else if len(known) > 0 {
		what += fmt.Sprintf(" %s: %s.", list, strings.Join(known, ", "))
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: what, Subject: &at}
}
