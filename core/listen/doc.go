// Package listen is where clients come in: it owns the addresses, TLS, the HTTP in front of every
// connection, the WebSocket framing, the plain requests, and lines over TCP. It is the only user of
// fasthttp and gorilla. What a client may do is decided elsewhere: a path leads to a [route.Entry],
// and an [Opener] makes the [session.Session] behind it.
//
// The path through it:
//
//	accept → prepare: the PROXY protocol's header, the handshake of TLS
//	  ├─ a listener of lines: Opener.Open; lineConn.next reads frames into Session.Frame and waits
//	  │  in Session.WaitSettled
//	  └─ guard → fasthttp reads the head → Server.handle: route, handshake, client, origin,
//	     readiness, Opener.Admit
//	     ├─ WebSocket: gorilla answers 101 on the connection taken from fasthttp; Opener.Open;
//	     │  a poller reads what came and feeds conn, whose messages go into Session.Frame
//	     └─ request: Opener.OpenRequest; exchange waits for the answer and writes it
//
// The guard reads along: a request that two readers could take for two different things is refused
// before fasthttp sees the end of its head, and the connection ends.
//
// Who may come is asked in that order, so that what is cheap and certain spares the rest. The client
// is the peer, or whom a trusted proxy names. Entries that are for this machine only take requests
// whose peer, Host, Origin and Sec-Fetch-Site say so, and that no proxy has touched. An auth backend
// is asked last; a lookout ends the question when the client leaves.
//
// A connection that became a WebSocket is no more known to fasthttp: its deadlines, its pings and
// its end are this package's, the registry of sessions is the core's.
//
// gorilla does the handshake, and no more; compression is agreed on and done here. What came is fed to a
// connection in pieces of any size (conn.feed), whole frames are taken from where they lie, and whatever
// goes out goes through the session's outbox.
//
// A poller is a goroutine with an epoll descriptor for its share of the connections: it reads what came
// into one buffer and hands it on, as far as that does not wait. A connection that has to wait (for its
// window, its rate, or its end) has a goroutine of its own for as long (conn.serve); under TLS, and where
// there is no epoll, it always has. Whose turn it is says conn.turn. The roster of all finds those that are
// silent.
package listen
