package pluginhost

import (
	"fmt"
	"slices"

	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/predicate"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Selection tells the sessions that a Select is about from others. It does not look at the channel.
type Selection struct {
	users         []string
	authenticated bool
	where         *predicate.Predicate // nil: no condition
}

// NewSelection reads a Select. The error is about its condition.
func NewSelection(sel *pluginv1.Select) (*Selection, error) {
	s := &Selection{users: sel.GetUserIds(), authenticated: sel.GetAuthenticated()}
	if w := sel.GetWhere(); w != nil {
		p, err := predicate.Compile(whereOf(w))
		if err != nil {
			return nil, fmt.Errorf("condition of a selection: %w", err)
		}
		s.where = p
	}
	return s, nil
}

// Has says whether a session of that identity, which is nil where it has none, is selected.
func (s *Selection) Has(id *session.Identity) bool {
	if id == nil {
		return !s.authenticated && s.where == nil && len(s.users) == 0
	}
	if len(s.users) > 0 && !slices.Contains(s.users, id.UserID) {
		return false
	}
	return s.where == nil || s.where.Match(document(id))
}

// document is what conditions look at.
func document(id *session.Identity) []byte {
	if id.Claims != nil {
		return id.Claims
	}
	return append(rawjson.AppendString([]byte(`{"userId":`), id.UserID), '}')
}

func whereOf(w *pluginv1.Where) *predicate.Where {
	if w == nil {
		return nil
	}
	out := &predicate.Where{Not: whereOf(w.GetNot())}
	for _, x := range w.GetAll() {
		out.All = append(out.All, *whereOf(x))
	}
	for _, x := range w.GetAny() {
		out.Any = append(out.Any, *whereOf(x))
	}
	t := w.GetTest()
	if t == nil {
		return out
	}
	out.Test = &predicate.Test{Path: t.GetPath()}
	switch op := t.GetOp().(type) {
	case *pluginv1.Test_Equals:
		out.Test.Equals = op.Equals
	case *pluginv1.Test_Contains:
		out.Test.Contains = op.Contains
	case *pluginv1.Test_In:
		out.Test.In = op.In.GetJson()
	case *pluginv1.Test_Exists:
		out.Test.Exists = &op.Exists
	}
	return out
}
