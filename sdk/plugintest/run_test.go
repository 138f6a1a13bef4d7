package plugintest

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbers answers each frame with how many came; where it keeps that is what the tests are about.
type numbers[S any] struct {
	count func(*sdk.Session[S]) int
	twice bool
}

func (*numbers[S]) Describe() sdk.Info { return sdk.Info{Name: "numbers", Version: "1"} }

func (p *numbers[S]) Step(s *sdk.Session[S], ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Frame:
		if string(e.Data) == "ask" {
			s.Ask("sum", sdk.JSON("1"))
			return nil
		}
		s.Textf("%d", p.count(s))
		if p.twice {
			s.Text("again")
		}
	case sdk.Answer:
		s.Text(e.TextOr("nothing"))
	}
	return nil
}

type kept struct{ N int }

func remembers() *numbers[kept] {
	return &numbers[kept]{count: func(s *sdk.Session[kept]) int { s.State.N++; return s.State.N }}
}

// forgets keeps the number in the process.
func forgets() *numbers[struct{}] {
	n := 0
	return &numbers[struct{}]{count: func(*sdk.Session[struct{}]) int { n++; return n }}
}

func talksTwice() *numbers[kept] {
	p := remembers()
	p.twice = true
	return p
}

func playText(t *testing.T, launch pluginhost.Launcher, k kill, text string) (int, error) {
	t.Helper()
	return playWith(t, Config{}, launch, k, text)
}

func playWith(t *testing.T, config Config, launch pluginhost.Launcher, k kill, text string) (int, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "transcript.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tr, err := readTranscript(file, config)
	if err != nil {
		return 0, err
	}
	return play(tr, launch, k, slog.New(slog.DiscardHandler))
}

func memoryOf[S any, P sdk.Plugin[S]](newPlugin func() P) pluginhost.Launcher {
	return InMemory[S](newPlugin, slog.New(slog.DiscardHandler))
}

const counting = "> a\n< 1\n> b\n< 2\n> c\n< 3\n"

func TestKillingFindsAPluginThatForgets(t *testing.T) {
	if _, err := playText(t, memoryOf(forgets), kill{}, counting); err != nil {
		t.Fatalf("a plugin that is not killed need not remember: %v", err)
	}
	failed := 0
	for at := range 4 {
		for _, after := range []bool{false, true} {
			k := kill{at + 1, after}
			if _, err := playText(t, memoryOf(forgets), k, counting); err != nil {
				failed++
			}
			if acks, err := playText(t, memoryOf(remembers), k, counting); err != nil || acks < 4 {
				t.Errorf("killed at %+v: %d acks, %v", k, acks, err)
			}
		}
	}
	if failed < 4 {
		t.Errorf("a plugin that forgets failed %d times of 8", failed)
	}
}

func TestTranscriptsFail(t *testing.T) {
	tests := []struct {
		name, text, want string
		launch           pluginhost.Launcher
	}{
		{"another answer", "> a\n< 2\n", ":2: \n\tgot  < 1\n\twant < 2", memoryOf(remembers)},
		{"another kind", "> a\n<b 31\n", "got  < 1", memoryOf(remembers)},
		{"too much", "> a\n< 1\n", `client "" also got < again`, memoryOf(talksTwice)},
		{"another question", "> ask\n@ ask sum 1\n> ask\n> a\n< 1\n", "the back-end was also asked: ask sum 1", memoryOf(remembers)},
		{"no question", "@ = {}\n", "there is no question to answer", memoryOf(remembers)},
		{"unknown outcome", "> ask\n@ ask sum 1\n@ = {\"outcome\":\"odd\"}\n", `outcome "odd" is unknown`, memoryOf(remembers)},
		{"bad reply", "> ask\n@ ask sum 1\n@ = {\n", "unexpected end", memoryOf(remembers)},
		{"bad line", "hello\n", ":1: not a line of a transcript: hello", memoryOf(remembers)},
		{"bad directive", "! dance\n", `unknown directive "dance"`, memoryOf(remembers)},
		{"bad duration", "! advance long\n", "long", memoryOf(remembers)},
		{"bad hex", ">b zz\n", "invalid byte", memoryOf(remembers)},
		{"bad code", ">x high\n", `close code "high"`, memoryOf(remembers)},
		{"second request", ">r GET /\n>r GET /\n", "has made its request", memoryOf(remembers)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := playText(t, tt.launch, kill{}, tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestTranscriptConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t.txt")
	text := "# comment\n\n! plugin {\"a\":1}\n! route {\"b\":2}\n! only grpc child\n> \n>\na<x 1000\n1@ ask x\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tr, err := readTranscript(file, Config{Label: "kept"})
	if err != nil {
		t.Fatal(err)
	}
	if tr.config.Plugin != `{"a":1}` || tr.config.Route != `{"b":2}` || tr.config.Label != "kept" || !tr.only["grpc"] || tr.only["memory"] {
		t.Errorf("got %+v", tr)
	}
	want := []line{{6, "", ">", ""}, {7, "", ">", ""}, {8, "a", "<x", "1000"}, {9, "1", "@", "ask x"}}
	for i, l := range tr.lines {
		if l != want[i] {
			t.Errorf("line %d: got %+v, want %+v", i, l, want[i])
		}
	}
}

func TestMatches(t *testing.T) {
	tests := []struct {
		want, got string
		ok        bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a.c", "abc", false},
		{`{"id":"<id>"}`, `{"id":"aZ-_9"}`, true},
		{`{"id":"<id>"}`, `{"id":""}`, false},
		{`{"id":"<id>"}`, `{"id":"a b"}`, false},
		{`x<any>`, "x", true},
		{`x<any>z (<id>)`, "xyyyz (1)", true},
	}
	for _, tt := range tests {
		if matches(tt.want, tt.got) != tt.ok {
			t.Errorf("%s and %s: want %t", tt.want, tt.got, tt.ok)
		}
	}
}
