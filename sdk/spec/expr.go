package spec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
)

// Expr is a runtime expression of the configuration, as `payload.token`: checked when the
// configuration is read, evaluated for a session. The zero value evaluates to nothing.
type Expr struct{ e *expr.Expr }

// Scope gives an expression's variables their values; what is absent is null.
type Scope = expr.Scope

// Value is the value of one variable.
type Value = expr.Value

// JSON is a value given as its JSON, which must be valid and stay as it is while the value is used.
// nil is null.
func JSON(raw []byte) Value { return expr.JSON(raw) }

// Text is a string value.
func Text(s string) Value { return expr.Text(s) }

// Object is a value with members.
func Object(members map[string]Value) Value { return expr.Nested(members) }

// Vars are the variables of an expression whose tag names none: what is known of every session.
var Vars = []string{"user", "claims", "request", "session", "context"}

// ParseExpr checks the source text of an expression that may name vars ([Vars] if there are none);
// attribute is for the error, which is a sentence.
func ParseExpr(source, attribute string, vars ...string) (Expr, error) {
	if len(vars) == 0 {
		vars = Vars
	}
	e, diags := expr.Parse([]byte(source), attribute, hcl.InitialPos, vars)
	if diags.HasErrors() {
		text := make([]string, 0, len(diags))
		for _, d := range diags {
			text = append(text, d.Summary+": "+d.Detail)
		}
		return Expr{}, &Complaint{Text: strings.Join(text, " ")}
	}
	return Expr{e}, nil
}

// Given says whether there is an expression at all.
func (e Expr) Given() bool { return e.e != nil }

// Source is its source text.
func (e Expr) Source() string {
	if e.e == nil {
		return ""
	}
	return e.e.Source()
}

// Needs lists the variables it names, sorted: those a scope must have.
func (e Expr) Needs() []string {
	if e.e == nil {
		return nil
	}
	return e.e.Roots()
}

// Text evaluates to text; ok is false for null and for the zero Expr. Numbers and bools are written
// as text, a list or an object is an error.
func (e Expr) Text(s Scope) (text string, ok bool, err error) {
	if e.e == nil {
		return "", false, nil
	}
	return e.e.String(s)
}

// Strings evaluates to a list: of one text, or of the elements of a list of texts.
func (e Expr) Strings(s Scope) ([]string, error) {
	if e.e == nil {
		return nil, nil
	}
	return e.e.Strings(s)
}

// Channels evaluates to channel names. An error means that the session must be refused: a name is
// none, or a value from outside would change which channel it is.
func (e Expr) Channels(s Scope) ([]string, error) {
	if e.e == nil {
		return nil, nil
	}
	return e.e.Channels(s)
}
