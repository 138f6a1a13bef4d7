// Package chat has the stories of the chat protocol: the bridge command with its plugin, real clients over
// WebSocket and TCP, and both databases. Each testable statement of the specification is a test by its
// number.
package chat
