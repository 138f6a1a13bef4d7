package logux

import "testing"

// What back-ends make carries the subprotocol that was said last on its route, and at an endpoint without
// clients the one that all routes have.
func TestSpoken(t *testing.T) {
	t.Parallel()
	var k spoken
	want := func(route, want string) {
		t.Helper()
		if got := k.of(route); got != want {
			t.Errorf("at %q it is %q, want %q", route, got, want)
		}
	}
	want("control", "")
	k.note("a", "1.0.0")
	k.note("a", "")
	k.note("", "9.0.0")
	want("a", "1.0.0")
	want("control", "1.0.0")
	k.recall("a", "0.9.0")
	want("a", "1.0.0")
	k.note("a", "1.1.0")
	want("a", "1.1.0")
	k.recall("b", "2.0.0")
	want("b", "2.0.0")
	want("control", "")
}
