package plugintest

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/sdk"
)

// Run plays the transcripts that match the pattern on all rungs, and again with the plugin killed
// before and after each of its acks. A child process, which takes its time to start, is killed before
// one ack and after the next, with -short at the first alone. config is what a transcript does not say
// otherwise.
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
					due := func(kill) bool { return true }
					if r.name == "child" {
						due = func(k kill) bool { return k.after == (k.at%2 == 0) && (k.at == 1 || !testing.Short()) }
					}
					climb(t, tr, r.launch(t), due)
				})
			}
		})
	}
}

// climb plays a transcript on one rung: once as it is, and with each kill that is due.
func climb(t *testing.T, tr *transcript, launch pluginhost.Launcher, due func(kill) bool) {
	t.Helper()
	acks, err := play(tr.fresh(), launch, kill{}, Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	for at := 1; at <= acks; at++ {
		for _, after := range []bool{false, true} {
			k := kill{at, after}
			if !due(k) {
				continue
			}
			name := fmt.Sprintf("killed before ack %d", at)
			if after {
				name = fmt.Sprintf("killed after ack %d", at)
			}
			t.Run(name, func(t *testing.T) {
				if _, err := play(tr.fresh(), launch, k, Logger(t)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
