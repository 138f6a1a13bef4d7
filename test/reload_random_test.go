//go:build linux

package test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"pgregory.net/rapid"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// routes is a configuration of the random story: what each path leads to.
type routes map[string]randomRoute

type randomRoute struct{ auth, upstream, push, frame, errors string }

func (r routes) file() string {
	var b strings.Builder
	b.WriteString(harness.AuthBlock)
	b.WriteString("auth \"static\" \"other\" {\n  tokens = { " + harness.Token + " = \"38\" }\n}\n")
	b.WriteString("upstream \"dev\" \"echo\" {}\nupstream \"dev\" \"again\" {}\n")
	for _, name := range []string{"one", "two"} {
		fmt.Fprintf(&b, "upstream \"logux_server\" %q {\n  url    = \"http://127.0.0.1:1/\"\n  secret = %q\n}\n", name, name)
	}
	b.WriteString("plugin \"ctproto\" {\n")
	for _, path := range slices.Sorted(maps.Keys(r)) {
		x := r[path]
		fmt.Fprintf(&b, "  route %q {\n    auth     = auth.static.%s\n    upstream = upstream.dev.%s\n", path, x.auth, x.upstream)
		if x.push != "" {
			b.WriteString("    push     = upstream.logux_server." + x.push + "\n")
		}
		fmt.Fprintf(&b, "    limits {\n      max_frame = %q\n    }\n    config {\n      errors = %q\n    }\n  }\n", x.frame, x.errors)
	}
	b.WriteString("}\n")
	return b.String()
}

// lines is what a reload from one configuration to the other must say, and which paths lose their
// sessions.
func (r routes) lines(next routes) (lines []string, closed map[string]bool) {
	closed = make(map[string]bool)
	told := len(r) != len(next) // whether the plugin is told something else
	var body []string
	add := func(sign, path, rest string, closes bool) {
		text := sign + " route ctproto:public:" + path + rest
		if closes {
			closed[path] = true
			text += "; 1 session is closed"
		}
		body = append(body, text)
	}
	for _, path := range slices.Sorted(maps.Keys(next)) {
		old, ok := r[path]
		now := next[path]
		if !ok {
			told = true
			add("+", path, "", false)
			continue
		}
		var differs []string
		for _, d := range []struct {
			what string
			is   bool
		}{
			{"auth", old.auth != now.auth},
			{"upstream", old.upstream != now.upstream},
			{"push", old.push != now.push},
			{"limits", old.frame != now.frame},
			{"config", old.errors != now.errors},
		} {
			if d.is {
				differs = append(differs, d.what)
			}
		}
		told = told || old.errors != now.errors || (old.push == "") != (now.push == "")
		if len(differs) > 0 {
			add("~", path, ": "+strings.Join(differs, ", "), old.auth != now.auth)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(r)) {
		if _, ok := next[path]; !ok {
			told = true
			add("-", path, "", true)
		}
	}
	if told {
		body = append([]string{"~ plugin ctproto; new process, all sessions stay"}, body...)
	}
	return body, closed
}

func drawRoutes(t *rapid.T) routes {
	r := routes{}
	for _, path := range []string{"/a", "/b", "/c", "/d"} {
		if path == "/a" || rapid.Bool().Draw(t, path) {
			r[path] = randomRoute{
				auth:     rapid.SampledFrom([]string{"dev", "dev", "other"}).Draw(t, "auth"),
				upstream: rapid.SampledFrom([]string{"echo", "again"}).Draw(t, "upstream"),
				push:     rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "push"),
				frame:    rapid.SampledFrom([]string{"1KiB", "2KiB"}).Draw(t, "frame"),
				errors:   rapid.SampledFrom([]string{"message", "message", "silent"}).Draw(t, "errors"),
			}
		}
	}
	return r
}

// TestReloadSaysWhatHappened: for random valid edits, what the log says of a reload is what happened:
// the sessions it names are closed, and all others live on.
func TestReloadSaysWhatHappened(t *testing.T) {
	seed := rand.IntN(1 << 30)
	t.Logf("seed %d", seed)
	drawn := rapid.Custom(drawRoutes)
	now := drawn.Example(seed)
	b := harness.Start(t, harness.Config{File: now.file()})
	sessions := make(map[string]*websocket.Conn)
	for i := range size(40, 5) {
		for path := range now {
			if sessions[path] == nil {
				sessions[path] = dialCTProto(t, b, path)
			}
		}
		next := drawn.Example(seed + 1 + i)
		want, closed := now.lines(next)
		got, ok := b.Reload(next.file())
		if !ok || !slices.Equal(got, want) {
			t.Fatalf("edit %d: the log says\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for path, ws := range sessions {
			if !closed[path] {
				echoes(t, ws)
				continue
			}
			if code, _, err := harness.AwaitClose(ws, harness.AnswerLimit); err != nil || code != 1012 {
				t.Fatalf("edit %d: the session of %s ended with %d, %v, want 1012", i, path, code, err)
			}
			delete(sessions, path)
		}
		now = next
	}
}
