// Package upstream calls back-ends: it owns their connections, the queue in front of them, time
// limits and what may be asked again. A [Pool] is one back-end, shared by all plugins and by auth.
//
// A question goes
//
//	Ask → gate (at most so many at a time, the others wait in order)
//	    → codec (upstream/logux writes the command)
//	    → client (one HTTP/1.1 POST; what it answers is read piece by piece)
//	    → codec (each piece becomes an answer) → emit
//
// Which sessions are asked for, what becomes of answers, and whose call waits for whose is not
// known here.
package upstream
