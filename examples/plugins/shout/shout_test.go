package main

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func newShout() Shout { return Shout{} }

// The test binary is also the plugin's process, where a test starts one.
func TestMain(m *testing.M) {
	plugintest.Main(m, func() int { return sdk.Run(newShout()) })
}

func TestTranscripts(t *testing.T) {
	plugintest.Run(t, newShout, "testdata/*.txt", plugintest.Config{})
}

// welcomed is Shout to clients that were welcomed already, so that tests come past HELLO.
type welcomed struct{ Shout }

func (w welcomed) Step(s *session, ev sdk.Event) error {
	f, ok := ev.(sdk.Frame)
	verb, rest, _ := strings.Cut(string(f.Data), " ")
	switch text := ok && !f.Binary; {
	case text && !utf8.Valid(f.Data): // the core lets none through
		return nil
	case text && verb != "HELLO":
		return accepted(s, verb, rest)
	}
	return w.Shout.Step(s, ev)
}

// What a step asks for, a command a line; the state is the cell "$".
func TestStep(t *testing.T) {
	const (
		met     = "\n" + `put $={"Met":true,"Name":"","Rooms":null,"Count":0}`
		counted = "\n" + `put $={"Met":false,"Name":"","Rooms":null,"Count":1}`
	)
	tests := []struct{ frame, want string }{
		{"HELLO token", "timer idle 60000\ncall hello authenticate token" + met},
		{"COUNT", "send OK 1" + counted},
		{"ASK 1", "call ask order=ask/0 ask shout/ask 1" + counted},
		{"ASK one", "send ERR not JSON"},
		{"SHOUT hello", "send ERR JOIN a room first"},
		{"whisper", "send ERR unknown command"},
	}
	for _, test := range tests {
		steps := plugintest.Step(t, welcomed{}, plugintest.Text(test.frame))
		if got := plugintest.Format(steps[0]); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.frame, got, test.want)
		}
	}
}

func FuzzStep(f *testing.F) {
	plugintest.FuzzStep(f, func() welcomed { return welcomed{} }, plugintest.Config{},
		"HELLO token", "HELLO", "JOIN lobby", "SHOUT hello", `ASK {"n":1}`, "COUNT", "shout", "")
}

func TestConfig(t *testing.T) {
	tests := []struct {
		config, attribute string // of the complaint; empty: none
	}{
		{`{}`, ""},
		{`{"greeting":"","idle":"1s","name":"claims.name"}`, ""},
		{`{"idle":"999ms"}`, "idle"},
		{`{"idle":"-1m"}`, "idle"},
		{`{"name":"context.name"}`, "name"},
	}
	for _, test := range tests {
		got := ""
		for _, c := range plugintest.Configure(t, newShout(), plugintest.Config{Route: test.config}) {
			got += c.GetAttribute()
		}
		if got != test.attribute {
			t.Errorf("%s: complaints about %q, want %q", test.config, got, test.attribute)
		}
	}
}

// What version 1.0 kept of a session is read by this one.
func TestReadState(t *testing.T) {
	tests := []struct {
		state string
		want  State
		ok    bool
	}{
		{`{"Met":true,"Name":"ada","Room":"shout/lobby","Count":7}`, State{true, "ada", []string{"shout/lobby"}, 7}, true},
		{`{"Met":true,"Name":"ada","Room":"","Count":1}`, State{true, "ada", nil, 1}, true},
		{`{}`, State{}, true},
		{`{"Room":1}`, State{}, false},
		{`no JSON`, State{}, false},
	}
	for _, test := range tests {
		var got State
		err := newShout().ReadState(1, []byte(test.state), &got)
		if (err == nil) != test.ok || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %+v, %v, want %+v", test.state, got, err, test.want)
		}
	}
}

// The table of the README says what the plugin describes.
func TestReadme(t *testing.T) { plugintest.ConfigTable(t, newShout(), "README.md") }
