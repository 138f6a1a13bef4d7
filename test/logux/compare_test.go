//go:build linux

package logux

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// loguxBridge starts a bridge that is a Logux server in front of a back-end. The config block of its
// route has further lines.
func loguxBridge(t testing.TB, backend *logux.Backend, config string) *harness.Bridge {
	t.Helper()
	return harness.Start(t, harness.Config{File: fmt.Sprintf(`
upstream "logux" "app" {
  url             = %q
  secret          = %q
  max_connections = 4096
}
auth "logux" "app" {
  upstream = upstream.logux.app
}
plugin "logux" {
  route "/*" {
    role     = "server"
    auth     = auth.logux.app
    upstream = upstream.logux.app
    config {
%s    }
  }
}
`, backend.URL(), logux.Secret, config)})
}

// Bridge in the place of the original server is seen by clients and back-ends to do what that does, but
// where there is a reason not to: each difference is in loguxDifferences, and what is there occurs.
func TestLoguxScenes(t *testing.T) {
	known := newKnownDifferences()
	var alone *transcripts
	if !*update {
		alone = readTranscripts(t, "alone")
	} else {
		alone = newTranscripts("alone")
	}
	t.Run("all", func(t *testing.T) { // ends when its parallel parts have
		for _, group := range loguxScenes {
			t.Run(group.file, func(t *testing.T) {
				t.Parallel()
				original := readTranscripts(t, group.file)
				stages := make(map[string]logux.Stage)
				for _, scene := range group.scenes {
					config := scene.config()
					stage, ok := stages[config]
					if !ok || scene.fresh {
						stage = bridgeStage(t, config)
						stages[config] = stage
					}
					t.Run(scene.name, func(t *testing.T) {
						s := logux.NewScene(t, stage, scene.scripts)
						scene.play(s)
						name := group.file + "/" + scene.name
						switch {
						case scene.alone == "":
							known.check(t, name, original.lines[scene.name], s.End())
						case *update:
							alone.add(name, known.ofBridge(s.End()))
						default:
							alone.check(t, name, known.ofBridge(s.End()))
						}
					})
				}
			})
		}
	})
	if *update {
		slices.Sort(alone.names)
		alone.write(t, "What Bridge makes of the scenes that the original server does not survive.")
	}
	if !t.Failed() {
		known.checkTables(t)
	}
}

func bridgeStage(t *testing.T, config string) logux.Stage {
	t.Helper()
	backend := logux.StartBackend(t)
	b := loguxBridge(t, backend, config)
	return logux.Stage{WS: b.URL("/"), Control: "http://" + b.Address() + "/", Backend: backend, Patience: 5 * time.Second}
}

// config are the lines of the scene's options.
func (s *loguxScene) config() string {
	var lines strings.Builder
	for _, o := range [][2]string{{"env", s.env}, {"supports", s.supports}, {"subprotocol", s.subprotocol}} {
		if o[1] != "" {
			fmt.Fprintf(&lines, "      %s = %q\n", o[0], o[1])
		}
	}
	if s.ping != 0 {
		fmt.Fprintf(&lines, "      ping = \"%dms\"\n", s.ping)
	}
	return lines.String()
}
