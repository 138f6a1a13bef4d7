package plugintest

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/sdk"
)

// Run plays the transcripts that match the pattern on all rungs, and again with the plugin killed
// before and after each of its acks. With -short, child processes are killed at the first ack alone.
// config is what a transcript does not say otherwise.
func Run[S any, P sdk.Plugin[S]](t *testing.T, newPlugin func() P, pattern string, config Config) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcript matches %s (%v)", pattern, err)
	}
	for _, file := range files {
		tr, err := readTranscript(file, config)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			rungs := []struct {
				name   string
				launch func(*testing.T) pluginhost.Launcher
			}{
				{"memory", func(t *testing.T) pluginhost.Launcher { return InMemory[S](newPlugin, Logger(t)) }},
				{"grpc", func(t *testing.T) pluginhost.Launcher { return OverGRPC[S](newPlugin, Logger(t)) }},
				{"child", func(t *testing.T) pluginhost.Launcher { return Child(Logger(t)) }},
			}
			for _, r := range rungs {
				if tr.only != nil && !tr.only[r.name] {
					continue
				}
				t.Run(r.name, func(t *testing.T) {
					if r.name == "child" && !canBeChild {
						t.Skip("the package's TestMain is not plugintest.Main")
					}
					climb(t, tr, r.launch(t), r.name == "child" && testing.Short())
				})
			}
		})
	}
}

// climb plays a transcript on one rung.
func climb(t *testing.T, tr *transcript, launch pluginhost.Launcher, brief bool) {
	t.Helper()
	acks, err := play(tr, launch, kill{}, Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	if brief {
		acks = min(acks, 1)
	}
	for at := 1; at <= acks; at++ {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("killed before ack %d", at)
			if after {
				name = fmt.Sprintf("killed after ack %d", at)
			}
			t.Run(name, func(t *testing.T) {
				if _, err := play(tr, launch, kill{at, after}, Logger(t)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
