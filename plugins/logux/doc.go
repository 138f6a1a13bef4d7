// Package logux is the plugin for Logux, versions 3 to 5 of the WebSocket protocol and 1 to 4 of the
// back-end protocol.
//
// A route of the role "server" takes the place of a Logux server with a back-end: clients connect over
// WebSocket, their actions are asked of the route's upstream one after another, and what that resends,
// answers and posts to the control endpoint reaches clients. "control" is that endpoint alone. "backend"
// answers an existing Logux server as its back-end, and "relay" takes actions for one.
//
// A session of the role "server" is on its own until it is authenticated (connect.go); then it is bound
// to the actor of its client id (client.go), which outlives it: that has the client's queue of actions
// (queue.go), knows what became of them (outcomes.go), and resumes it when the client comes back.
//
// A request of the other roles is a session, checked in endpoint.go. To the control endpoint (control.go) it
// is one step, and a relay (relay.go) keeps what it passes on in the tag of its call. That of an asking server
// (backend.go) is an exchange (exchange.go): each command is a call, whose answers (replies.go) go on in the
// server's version; neutral.go is for upstreams that are no Logux back-ends.
package logux
