//go:build linux

package logux

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// The original server does what the transcripts say. They are what TestLoguxScenes compares with, also
// where the original is not installed.
func TestLoguxNode(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	logux.RequirePeers(t)
	for _, group := range loguxScenes {
		t.Run(group.file, func(t *testing.T) {
			t.Parallel()
			servers := logux.StartServers(t)
			backend := logux.StartBackend(t)
			got := newTranscripts(group.file)
			for i, scene := range group.scenes {
				if scene.alone != "" {
					continue
				}
				options := logux.Options{}
				for key, value := range map[string]string{"env": scene.env, "supports": scene.supports, "subprotocol": scene.subprotocol} {
					if value != "" {
						options[key] = value
					}
				}
				if scene.ping != 0 {
					options["ping"], options["timeout"] = scene.ping, 10*scene.ping
				}
				server := servers.Start(4, fmt.Sprint(i), backend.URL(), options)
				stage := logux.Stage{WS: "ws://" + server.Address, Control: server.Control, Backend: backend, Patience: time.Second}
				s := logux.NewScene(t, stage, scene.scripts)
				scene.play(s)
				got.add(scene.name, s.End())
			}
			if *update {
				got.write(t, "What @logux/server 0.13.1 makes of the scenes.")
				return
			}
			want := readTranscripts(t, group.file)
			if !slices.Equal(got.names, want.names) {
				t.Errorf("%s has the scenes %q, want %q", want.file, want.names, got.names)
			}
			for _, name := range got.names {
				want.check(t, name, got.lines[name])
			}
		})
	}
}
