// Package predicate decides whether a condition holds for a JSON document, as an identity's claims:
// which sessions an update is for. It owns the conditions, their bounds and what it means for two
// JSON values to be equal; it knows neither the wire nor sessions.
//
//	p, err := predicate.Compile(&predicate.Where{
//		Test: &predicate.Test{Path: "/workspaceIds", Contains: []byte(`"123"`)},
//	})
//	if err != nil {
//		…
//	}
//	p.Match([]byte(`{"workspaceIds":["111","123"]}`)) // true
//
// Documents are walked, not decoded: what a path does not name is stepped over.
package predicate
