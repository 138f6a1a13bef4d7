// Package handshake names what a core and a plugin's process must agree on before the first call:
// the cookie that says "you are started as a plugin", and what is handed over in the environment.
package handshake

// The handshake of go-plugin. The cookie protects nobody; it lets a plugin that is started by hand
// say so instead of waiting.
const (
	CookieKey   = "BRIDGE_PLUGIN"
	CookieValue = "bridge"
	// ProtocolVersion changes when old and new cannot talk at all. What is only added is told apart
	// by the contract's revision in Describe.
	ProtocolVersion = 1
	// Plugin is the name under which the service is dispensed.
	Plugin = "bridge"
)

// Contract is the revision of bridge/plugin/v1 that this module speaks.
const Contract = 1

// Environment variables of an instance.
const (
	// LifelineFD is the number of an inherited file descriptor that reads end of file when the core
	// is gone.
	LifelineFD = "BRIDGE_LIFELINE_FD"
	// SocketDir is the folder of the instance's socket, to be removed when the instance ends.
	SocketDir = "PLUGIN_UNIX_SOCKET_DIR"
)

// WindowBytes is the size of the HTTP/2 flow-control windows of a link, for a stream and for its
// connection: what is on its way must not wait for permission.
const WindowBytes = 8 << 20
