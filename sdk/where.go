package sdk

import (
	"github.com/protocol-bridge/bridge/internal/predicate"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

type (
	// Where is a condition on a JSON document: everything that is set of All, Any, Not (conditions in
	// turn) and Test must hold. The zero value always does.
	Where = predicate.Where
	// Test looks at one value of a JSON document, which Path names (RFC 6901). Exactly one of Equals,
	// Contains, In and Exists is set; the first three are JSON and compared as JSON.
	Test = predicate.Test
)

// CheckWhere returns nil when the core takes w, and else an error that says why not: a path or a value
// that is none, more than 16 conditions in each other, 1,000 of them, 64 KiB of paths and values.
func CheckWhere(w *Where) error {
	_, err := predicate.Compile(w)
	return err
}

// whereOf is a condition that was checked in the contract's form; nil stays nil.
func whereOf(w *Where) *pluginv1.Where {
	if w == nil {
		return nil
	}
	pb := &pluginv1.Where{All: wheresOf(w.All), Any: wheresOf(w.Any), Not: whereOf(w.Not)}
	if t := w.Test; t != nil {
		pb.Test = &pluginv1.Test{Path: t.Path}
		switch {
		case t.Equals != nil:
			pb.Test.Op = &pluginv1.Test_Equals{Equals: t.Equals}
		case t.Contains != nil:
			pb.Test.Op = &pluginv1.Test_Contains{Contains: t.Contains}
		case t.In != nil:
			pb.Test.Op = &pluginv1.Test_In{In: &pluginv1.Values{Json: t.In}}
		default:
			pb.Test.Op = &pluginv1.Test_Exists{Exists: *t.Exists}
		}
	}
	return pb
}

func wheresOf(list []Where) []*pluginv1.Where {
	pbs := make([]*pluginv1.Where, 0, len(list))
	for i := range list {
		pbs = append(pbs, whereOf(&list[i]))
	}
	return pbs
}
