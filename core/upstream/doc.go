// Package upstream calls back-ends: it owns their connections, the queue in front of them, time
// limits and what may be asked again. A [Pool] is one back-end, shared by all plugins and by auth:
// [NewLogux] one that speaks the Logux back-end protocol, [NewHTTP] one that speaks Bridge's own
// contract, [NewLoguxServer] an existing Logux server, [NewDev] none at all. [Metrics] counts what
// they do.
//
// A question goes
//
//	Ask → gate (at most so many at a time, the others wait in order)
//	    → codec (upstream/logux or upstream/httpapi writes the request)
//	    → caller (what may be tried again) → client (one HTTP/1.1 POST)
//	    → codec (a Logux back-end's answers one by one, as they come) → emit
//
// Which sessions are asked for, what becomes of answers, and whose call waits for whose is not
// known here.
package upstream
