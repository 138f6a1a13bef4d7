// Package mesh is the plugin for the HTTP and WebSocket API of CONNMIX, version 1, and for the end users
// behind it.
//
// A route of the role "api" is for back-ends. They send to single end users, publish to channels, set
// contexts and subscriptions, over HTTP (http.go) or a WebSocket (socket.go), on which they also consume
// topics (consume.go). A request is decoded by request.go, its parameters by params.go; what it asks for is
// a call, one after another for each back-end's connection, and the call's answer is the response.
//
// A route of the role "client" is for end users. Their frames go to the topic that an expression names, in
// the form in which a consumer gets them (event.go, client.go), or are held until a back-end sets a value
// of the context (pause.go). What back-ends send reaches them as it is, and messages of other protocols as
// JSON (message.go).
//
// What back-ends and end users see is README.md's business.
package mesh
