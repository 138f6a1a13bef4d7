//go:build linux

package logux

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Servers are Logux servers of npm, all in one process.
type Servers struct {
	t      testing.TB
	script *harness.Script
}

// StartServers runs the process until the test ends.
func StartServers(t testing.TB) *Servers {
	t.Helper()
	return &Servers{t, startScript(t, "servers.mjs")}
}

// Server is one of them.
type Server struct {
	Address string // of its WebSocket
	Control string // the URL of its control endpoint
}

// Packages of test/logux by the version of the back-end protocol that they speak.
var Packages = map[int]string{1: "logux-server-1", 2: "logux-server-2", 3: "logux-server-3", 4: "logux-server-4"}

// Options are those of a server's constructor.
type Options map[string]any

// Start runs the server that speaks a version of the back-end protocol, asks backend, and shares the
// secret with it. Further options are added.
func (s *Servers) Start(version int, name, backend string, further Options) *Server {
	s.t.Helper()
	options := Options{"env": "production", "backend": backend}
	secret := "controlSecret"
	if version < 3 {
		secret = "controlPassword"
	}
	options[secret] = Secret
	if version < 4 { // they do without only since
		options["subprotocol"], options["supports"] = "1.0.0", "0.x || 1.x"
	}
	maps.Copy(options, further)
	s.script.Tell(map[string]any{"start": name, "package": Packages[version], "options": options})
	e := s.script.Event()
	var port, control int
	if len(e) != 4 || string(e[0]) != `"listening"` || json.Unmarshal(e[2], &port) != nil || json.Unmarshal(e[3], &control) != nil {
		s.t.Fatalf("the server says %s\n%s", e, s.script.Errors())
	}
	return &Server{Address: fmt.Sprintf("127.0.0.1:%d", port), Control: fmt.Sprintf("http://127.0.0.1:%d/", control)}
}
