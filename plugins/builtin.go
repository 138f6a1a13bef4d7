// Package plugins is the list of protocols that are compiled into the bridge command, which starts
// them as `bridge plugin NAME`. Nothing registers itself: what is not here is not there.
package plugins

//go:generate go run ../internal/docgen

import (
	"github.com/protocol-bridge/bridge/plugins/chat"
	"github.com/protocol-bridge/bridge/plugins/ctproto"
	"github.com/protocol-bridge/bridge/plugins/logux"
	"github.com/protocol-bridge/bridge/plugins/mesh"
	"github.com/protocol-bridge/bridge/sdk"
)

// Plugin is a protocol of this binary.
type Plugin struct {
	Name string
	// Main serves it as a process of its own and returns the exit status.
	Main func() int
}

// Builtin are all of them, sorted by name.
var Builtin = []Plugin{
	{"chat", func() int { return sdk.Run(chat.New()) }},
	{"ctproto", func() int { return sdk.Run(ctproto.New()) }},
	{"logux", func() int { return sdk.Run(logux.New()) }},
	{"mesh", func() int { return sdk.Run(mesh.New()) }},
}

// Find returns the plugin of that name; ok is false when there is none.
func Find(name string) (p Plugin, ok bool) {
	for _, p := range Builtin {
		if p.Name == name {
			return p, true
		}
	}
	return Plugin{}, false
}
