// Package ctproto is the plugin for the CodeX Transport Protocol over WebSocket, as
// codex-team/ctproto 0.0.13 speaks it: JSON messages with messageId, type and payload, one a text
// frame.
//
// A client has three seconds to send `authorize`, whose payload goes to the route's auth backend;
// what that says of the user is the response. After that each message is asked of the route's
// upstream, eight at a time, and what that replies is the response with the same messageId. Messages
// that the back-end wants delivered are updates: new messages with a fresh id.
//
// A route of the role "api" takes updates and closes from back-ends over HTTP, for the sessions that a
// condition on their identity selects.
//
// The path of a frame: decode (codec.go) → Plugin.Step (session.go) → a call; its answer → Step → a
// frame, or a delivery (deliver.go). That of a request: Plugin.Step → api (api.go), the body
// (body.go) and whom it is for (selection.go) → a call; its answer → Step → the response. What clients
// and back-ends see is README.md's business.
package ctproto
