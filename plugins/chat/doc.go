// Package chat is the plugin for the chat API of uchat (unitucode/uchat): one JSON object a text frame over
// WebSocket, or a line over TCP, with accounts, rooms, messages and files of its own in a database.
//
// The path of a request: parse (codec.go) → Plugin.Step (session.go), which handles one request an event and
// holds what comes while one is not answered → a handler (account.go, rooms.go, messages.go, files.go) → the
// database, answers and broadcasts (answers.go), or a refusal (errors.go). What other protocols say in a room
// comes by crossing.go.
//
// A session's form (numbers or names of the constants), user and transfer are state in the core; who is online
// is the core's claim on the login; rooms are channels. What a request writes is stored with the id of its
// event, so that one that is delivered again finds what it did. What clients see is README.md's business.
package chat
