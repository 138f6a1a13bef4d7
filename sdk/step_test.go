package sdk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// funcs is a plugin made of functions.
type funcs[S any] struct {
	info sdk.Info
	step func(s *sdk.Session[S], ev sdk.Event) error
}

func (p *funcs[S]) Describe() sdk.Info {
	if p.info.Name == "" {
		p.info.Name = "funcs"
	}
	return p.info
}

func (p *funcs[S]) Step(s *sdk.Session[S], ev sdk.Event) error { return p.step(s, ev) }

// verbs is a plugin that does what a text frame says.
func verbs[S any](do map[string]func(s *sdk.Session[S], rest string) error) *funcs[S] {
	return &funcs[S]{step: func(s *sdk.Session[S], ev sdk.Event) error {
		f, ok := ev.(sdk.Frame)
		if !ok {
			return nil
		}
		verb, rest, _ := strings.Cut(string(f.Data), " ")
		return do[verb](s, rest)
	}}
}

// check compares the forms of steps.
func check(t *testing.T, steps []*pluginv1.Step, want ...string) {
	t.Helper()
	if len(steps) != len(want) {
		t.Errorf("%d steps, want %d", len(steps), len(want))
	}
	for i := range min(len(steps), len(want)) {
		if got := plugintest.Format(steps[i]); got != want[i] {
			t.Errorf("step %d\ngot  %s\nwant %s", i, strings.ReplaceAll(got, "\n", "\n     "), strings.ReplaceAll(want[i], "\n", "\n     "))
		}
	}
}

func TestCommands(t *testing.T) {
	tests := []struct {
		name string
		do   func(s *sdk.Session[struct{}])
		want string
	}{
		{"text", func(s *sdk.Session[struct{}]) { s.Text("a"); s.Textf("%d-%d", 1, 2); s.Textf("%d", 3) }, "send a\nsend 1-2\nsend 3"},
		{"send", func(s *sdk.Session[struct{}]) { s.Send([]byte("a")); s.Binary([]byte{1, 255}) }, "send a\nbinary 01ff"},
		{"send late", func(s *sdk.Session[struct{}]) {
			s.SendLate(func(dst []byte) []byte { return append(dst, "a"...) })
			s.Text("b")
		}, "send late a\nsend b"},
		{"publications", func(s *sdk.Session[struct{}]) {
			s.PublishAs(sdk.Publication{
				Channels: []string{"a"}, ExceptChannels: []string{"c"}, Order: sdk.Order{Key: "k", Number: 3}, Message: &sdk.Message{Type: "t", ID: "7", Time: time.UnixMilli(5)},
				Frames: []sdk.OutFrame{{Data: []byte("x"), Variant: "v", Slots: []sdk.Slot{{At: 1, Number: 3, Minus: "n"}}}, {}, {Data: []byte("y"), Binary: true}},
			})
			s.PublishAs(sdk.Publication{Channels: []string{"b"}, Frames: []sdk.OutFrame{{Data: []byte("z")}}})
		}, "publish a except=c order=k/3 t  | v: x<3-n> | y\npublish b | z"},
		{"empty text", func(s *sdk.Session[struct{}]) { s.Text("") }, "send "},
		{"close", func(s *sdk.Session[struct{}]) { s.Close(sdk.CloseIdle) }, "close 1001 idle"},
		{"join and leave", func(s *sdk.Session[struct{}]) { s.Join("a"); s.Leave("b") }, "join a\nleave b"},
		{"context", func(s *sdk.Session[struct{}]) { s.PutContext("k", []byte("v")); s.PutContext("k", nil) }, "context k=v\ncontext k="},
		{"cells", func(s *sdk.Session[struct{}]) {
			s.Put("k", []byte("v"))
			for k, v := range s.Cells() {
				s.Textf("%s is %s", k, v)
			}
			s.Delete("k")
			s.Delete("nothing")
			for range s.Cells() {
				s.Text("more")
			}
		}, "put k=v\nsend k is v\ndelete k"},
		{"timer", func(s *sdk.Session[struct{}]) {
			s.Timer("t", time.Second)
			s.Timer("soon", time.Microsecond)
			s.StopTimer("t")
		}, "timer t 1000\ntimer soon 1\ntimer t 0"},
		{"pause", func(s *sdk.Session[struct{}]) { s.Pause(true); s.Pause(false) }, "pause\ngo on"},
		{"respond", func(s *sdk.Session[struct{}]) {
			s.Respond(sdk.Response{Status: 201, Body: []byte("x"), More: true})
			s.Respond(sdk.Response{})
		}, "respond 201 last=false x\nrespond 0 last=true "},
		{"tune", func(s *sdk.Session[struct{}]) { s.Tune("num", map[string]int64{"n": 3}) }, `tune {"tune":{"variant":"num","variables":[{"name":"n","value":"3"}]}}`},
		{"framing", func(s *sdk.Session[struct{}]) { s.Raw(9); s.Lines() }, `{"framing":{"raw":true,"rawBytes":"9"}}` + "\n" + `{"framing":{}}`},
		{"claim", func(s *sdk.Session[struct{}]) {
			s.Claim("t", "name", nil)
			s.Claim("t", "name", &sdk.CloseCode{Code: 4000, Reason: "moved"})
			s.Release("name")
		}, `{"claim":{"tag":"t","name":"name"}}` + "\n" + `{"claim":{"tag":"t","name":"name","takeOver":true,"closeCode":4000,"closeReason":"moved"}}` + "\nrelease name"},
		{"queue", func(s *sdk.Session[struct{}]) {
			s.Consume("topic", 8)
			s.ConsumeAll("c", 0, "topic", "other")
			s.Push("t", "topic", []byte("x"))
			s.SendSettling([]byte("d"), false, 7)
		}, "consume topic 8\nconsume topic,other 0 c\npush t topic x\nsend d"},
		{"ask", func(s *sdk.Session[struct{}]) {
			s.Ask("sum", sdk.JSON("[1,2]"))
			s.Call(sdk.Call{Tag: "t", Order: "q", Parallel: 8, Target: sdk.Ask{Raw: []byte("[]")}})
			s.Cancel("t")
		}, "call sum ask sum [1,2]\ncall t order=q/8 ask raw []\ncancel t"},
		{"authenticate", func(s *sdk.Session[struct{}]) {
			s.Call(sdk.Call{Tag: "a", Target: sdk.Authenticate{Payload: sdk.JSON("null")}})
			s.Call(sdk.Call{Tag: "a", Target: sdk.Authenticate{Token: "x", HasToken: true}})
		}, "call a authenticate - null\ncall a authenticate x"},
		{"publish", func(s *sdk.Session[struct{}]) {
			s.Publish(sdk.Message{Type: "t", Payload: sdk.JSON("{}")}, "a", "b")
			s.PublishAs(sdk.Publication{
				Channels: []string{"a"}, Except: []uint64{9},
				Frames: []sdk.OutFrame{{Data: []byte(`{"id":""}`), Slots: []sdk.Slot{{At: 7, RandomID: 10}}}},
			})
			s.Call(sdk.Call{Tag: "n", Target: sdk.Counted{Channels: []string{"a"}, Frames: []sdk.OutFrame{{Data: []byte("x"), Variant: "v"}}}})
		}, "publish a,b t {}\n" + `publish a except=[9] | {"id":"<id:10>"}` + "\ncall n publish a | v: x"},
		{"order", func(s *sdk.Session[struct{}]) {
			s.SendTold([]byte("list"), sdk.Order{Key: "room", Number: 7})
			s.PublishAs(sdk.Publication{
				Channels: []string{"a"}, Order: sdk.Order{Key: "room", Number: 1<<64 - 1},
				Frames: []sdk.OutFrame{{Data: []byte("x")}}, Then: [][]sdk.OutFrame{{{Data: []byte("y")}}},
			})
			s.Call(sdk.Call{Tag: "t", Target: sdk.Act{Session: 5, Action: sdk.Action{Told: sdk.Order{Key: "room", Number: 8}}}})
		}, "send told=room/7 list\npublish a order=room/18446744073709551615 | x then | y\ncall t act 5 told=room/8"},
		{"act and select", func(s *sdk.Session[struct{}]) {
			s.Call(sdk.Call{Tag: "t", Target: sdk.Act{Session: 5, Action: sdk.Action{Join: []string{"c"}}}})
			s.Call(sdk.Call{Tag: "t", Target: sdk.Select{Channel: "c", Action: sdk.Action{Close: &sdk.CloseCode{Code: 4001}}}})
		}, "call t act 5 join c\ncall t select channel=c close 4001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
				"do": func(s *sdk.Session[struct{}], _ string) error { tt.do(s); return nil },
			})
			p.info.Queues = &sdk.Queues{}
			check(t, plugintest.Step(t, p, plugintest.Text("do")), strings.TrimPrefix(tt.want, "tune "))
		})
	}
}

// Nothing of a step's publications is left in those of the steps behind it.
func TestPublicationsOfSteps(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
		"much": func(s *sdk.Session[struct{}], _ string) error {
			for range 2 {
				s.PublishAs(sdk.Publication{
					Channels: []string{"a"}, Except: []uint64{9}, ExceptChannels: []string{"c"}, Order: sdk.Order{Key: "k", Number: 3}, Message: &sdk.Message{Type: "t"},
					Frames: []sdk.OutFrame{{Data: []byte("x"), Variant: "v", Slots: []sdk.Slot{{At: 0, Number: 3, Minus: "n"}, {At: 1, RandomID: 5}}}, {Data: []byte("y"), Binary: true}},
					Then:   [][]sdk.OutFrame{{{Data: []byte("w")}}},
				})
			}
			return nil
		},
		"little": func(s *sdk.Session[struct{}], _ string) error {
			s.PublishAs(sdk.Publication{Channels: []string{"b"}, Frames: []sdk.OutFrame{{Data: []byte("z"), Slots: []sdk.Slot{{At: 1, Number: 4}}}}})
			return nil
		},
		"none": func(*sdk.Session[struct{}], string) error { return nil },
	})
	const much, little = "publish a except=[9] except=c order=k/3 t  | v: <3-n>x<id:5> | y then | w", "publish b | z<4->"
	check(t, plugintest.Step(t, p, plugintest.Text("much"), plugintest.Text("little"), plugintest.Text("none"), plugintest.Text("much"), plugintest.Text("little")),
		much+"\n"+much, little, "", much+"\n"+much, little)
}

type state struct {
	N    int
	Text string
}

func stateVerbs() map[string]func(*sdk.Session[state], string) error {
	return map[string]func(*sdk.Session[state], string) error{
		"add":  func(s *sdk.Session[state], _ string) error { s.State.N++; s.Textf("%d", s.State.N); return nil },
		"look": func(s *sdk.Session[state], _ string) error { s.Textf("%d", s.State.N); return nil },
		"put":  func(s *sdk.Session[state], v string) error { s.Put("k", []byte(v)); return nil },
		"get":  func(s *sdk.Session[state], _ string) error { s.Textf("%s", s.Get("k")); return nil },
		"fail": func(s *sdk.Session[state], how string) error {
			s.State.N = 100
			s.Put("k", []byte("lost"))
			s.PutContext("c", []byte("lost"))
			s.Text("lost")
			switch how {
			case "error":
				return errors.New("as asked")
			case "panic":
				panic("as asked")
			case "reject":
				return sdk.Reject("no such thing", sdk.KeepOpen)
			case "refuse":
				return sdk.Reject("no such thing")
			}
			return fmt.Errorf("wrapped: %w", sdk.CloseWith(sdk.CloseCode{Code: 4000, Reason: "bye"}))
		},
	}
}

func TestErrorUndoesTheStep(t *testing.T) {
	tests := []struct{ how, want, after string }{
		{"error", "close 1011 internal error", ""},
		{"panic", "close 1011 internal error", ""},
		{"reject", "send no such thing", "send 1"},
		{"refuse", "close 1008 no such thing", ""},
		{"close", "close 4000 bye", ""},
	}
	for _, tt := range tests {
		t.Run(tt.how, func(t *testing.T) {
			get := "send v"
			if tt.after == "" {
				get = "" // what comes for a session that was closed is acked and not handled
			}
			check(t, plugintest.Step(t, verbs(stateVerbs()),
				plugintest.Text("add"), plugintest.Text("put v"), plugintest.Text("fail "+tt.how),
				plugintest.Text("look"), plugintest.Text("get"), plugintest.Closed(1000)),
				"send 1\nput $={\"N\":1,\"Text\":\"\"}", "put k=v", tt.want, tt.after, get, "")
		})
	}
}

// gone is a state of which nothing is kept while it is zero.
type gone struct{ n []byte }

func (g *gone) AppendBinary(b []byte) ([]byte, error) { return append(b, g.n...), nil }
func (g *gone) UnmarshalBinary(b []byte) error        { g.n = b; return nil }

func TestStateThatIsNothingHasNoCell(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[gone], string) error{
		"set":  func(s *sdk.Session[gone], v string) error { s.State.n = []byte(v); return nil },
		"look": func(s *sdk.Session[gone], _ string) error { s.Textf("%s", s.State.n); return nil },
		"fail": func(s *sdk.Session[gone], _ string) error {
			s.State.n = []byte("lost")
			return sdk.Reject("no", sdk.KeepOpen)
		},
	})
	check(t, plugintest.Step(t, p, plugintest.Text("look"), plugintest.Text("set a"), plugintest.Text("set "), plugintest.Text("fail"),
		plugintest.Text("look"), plugintest.Text("set b"), plugintest.Text("fail"), plugintest.Text("look")),
		"send ", "put $=a", "delete $", "send no", "send ", "put $=b", "send no", "send b")
}

func TestPanicLeavesNeighboursAlone(t *testing.T) {
	b := plugintest.NewBench(t, verbs(stateVerbs()), plugintest.Config{})
	other := func(e *pluginv1.Event) *pluginv1.Event { e.Actor = 2; return e }
	b.Send(plugintest.Opened(), other(plugintest.Opened()))
	b.Send(plugintest.Text("add"), other(plugintest.Text("add")))
	steps := b.Send(plugintest.Text("fail panic"), other(plugintest.Text("look")))
	for _, s := range steps {
		want := "close 1011 internal error"
		if s.GetActor() == 2 {
			want = "send 1"
		}
		if got := plugintest.Format(s); got != want {
			t.Errorf("session %d: got %s, want %s", s.GetActor(), got, want)
		}
	}
}

func TestRejectRequest(t *testing.T) {
	p := &funcs[struct{}]{step: func(s *sdk.Session[struct{}], ev sdk.Event) error {
		if s.Info().Path == "/panic" {
			panic("as asked")
		}
		return sdk.Reject("bad " + s.Info().Method)
	}}
	request := func(path string) *pluginv1.Event {
		s := plugintest.Snapshot()
		s.Session.Path = path
		return &pluginv1.Event{Kind: &pluginv1.Event_Request{Request: &pluginv1.Request{Snapshot: s}}}
	}
	check(t, plugintest.Step(t, p, request("/")), "respond 400 last=true bad GET")
	check(t, plugintest.Step(t, p, request("/panic")), "respond 500 last=true ")
}

func TestStateIsPutWhenItChanged(t *testing.T) {
	check(t, plugintest.Step(t, verbs(stateVerbs()), plugintest.Text("look"), plugintest.Text("add"), plugintest.Text("look")),
		"send 0", "send 1\nput $={\"N\":1,\"Text\":\"\"}", "send 1")
}

func TestResumedSessionHasItsState(t *testing.T) {
	check(t, plugintest.Step(t, verbs(stateVerbs()),
		plugintest.Resumed(map[string]string{"$": `{"N":41}`, "k": "v"}), plugintest.Text("add"), plugintest.Text("get")),
		"send 42\nput $={\"N\":42,\"Text\":\"\"}", "send v")
}

func TestUnreadableStateClosesTheSession(t *testing.T) {
	check(t, plugintest.Step(t, verbs(stateVerbs()),
		plugintest.Resumed(map[string]string{"$": `{"N":"x"}`}), plugintest.Text("add"), plugintest.Text("add")),
		"close 1011 internal error", "")
}

// list is a state that == cannot compare.
type list struct{ Names []string }

func TestDeepState(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[list], string) error{
		"add": func(s *sdk.Session[list], v string) error { s.State.Names = append(s.State.Names, v); return nil },
		"fail": func(s *sdk.Session[list], v string) error {
			s.State.Names[0] = v
			return sdk.Reject("no", sdk.KeepOpen)
		},
		"look": func(s *sdk.Session[list], _ string) error { s.Text(strings.Join(s.State.Names, ",")); return nil },
	})
	check(t, plugintest.Step(t, p, plugintest.Resumed(map[string]string{"$": `{"Names":["a"]}`}),
		plugintest.Text("look"), plugintest.Text("add b"), plugintest.Text("fail x"), plugintest.Text("look")),
		"send a", `put $={"Names":["a","b"]}`, "send no", "send a,b")
}

// packed encodes itself.
type packed struct{ n byte }

func (p *packed) AppendBinary(b []byte) ([]byte, error) { return append(b, 'n', p.n), nil }
func (p *packed) UnmarshalBinary(b []byte) error {
	if len(b) != 2 {
		return errors.New("want two bytes")
	}
	p.n = b[1]
	return nil
}

// packedPlugin reads the state of a version that wrote one byte.
type packedPlugin struct{ *funcs[packed] }

func (packedPlugin) ReadState(version uint32, data []byte, into *packed) error {
	if version != 1 {
		return fmt.Errorf("version %d", version)
	}
	into.n = data[0]
	return nil
}

func TestStateThatEncodesItself(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[packed], string) error{
		"add": func(s *sdk.Session[packed], _ string) error { s.State.n++; return nil },
	})
	p.info.StateVersion = 2
	check(t, plugintest.Step(t, p, plugintest.Resumed(map[string]string{"$": "na"}), plugintest.Text("add")), "put $=nb")

	old := plugintest.Resumed(map[string]string{"$": "x"})
	old.GetResumed().GetSnapshot().StateVersion = 1
	check(t, plugintest.Step(t, packedPlugin{p}, old, plugintest.Text("add")), "put $=ny")
}

func TestStateIsBounded(t *testing.T) {
	do := stateVerbs()
	do["grow"] = func(s *sdk.Session[state], key string) error {
		s.Put(key, make([]byte, 400))
		s.Text("grown")
		return nil
	}
	do["shrink"] = func(s *sdk.Session[state], key string) error { s.Delete(key); return nil }
	p := verbs(do)
	p.info.Limits.StateBytes = 1000
	large := "put %s=" + string(make([]byte, 400)) + "\nsend grown"
	frames := []string{"grow a", "grow b", "shrink a", "grow c", "grow c", "grow d", "look"}
	var events []*pluginv1.Event
	for _, f := range frames {
		events = append(events, plugintest.Text(f))
	}
	check(t, plugintest.Step(t, p, events...),
		fmt.Sprintf(large, "a"), fmt.Sprintf(large, "b"), "delete a", fmt.Sprintf(large, "c"), fmt.Sprintf(large, "c"),
		"close 1011 internal error", "")
}

func TestStateOfAnotherVersionIsPutAnew(t *testing.T) {
	p := verbs(stateVerbs())
	p.info.StateVersion = 2
	old := plugintest.Resumed(map[string]string{"$": `{"N":5}`})
	old.GetResumed().GetSnapshot().StateVersion = 1
	check(t, plugintest.Step(t, p, old, plugintest.Text("look"), plugintest.Text("look")),
		"send 5\nput $={\"N\":5,\"Text\":\"\"}", "send 5")
}

func TestCapabilityThatIsLacking(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
		"push":    func(s *sdk.Session[struct{}], _ string) error { s.Push("t", "topic", nil); return nil },
		"consume": func(s *sdk.Session[struct{}], _ string) error { s.Consume("topic", 1); return nil },
		"settle":  func(s *sdk.Session[struct{}], _ string) error { s.SendSettling(nil, false, 1); return nil },
		"raw":     func(s *sdk.Session[struct{}], _ string) error { s.Raw(1); return nil },
		"lines":   func(s *sdk.Session[struct{}], _ string) error { s.Lines(); return nil },
		"told":    func(s *sdk.Session[struct{}], _ string) error { s.SendTold(nil, sdk.Order{Key: "k"}); return nil },
		"ordered": func(s *sdk.Session[struct{}], _ string) error {
			s.PublishAs(sdk.Publication{Channels: []string{"c"}, Order: sdk.Order{Key: "k", Number: 1}})
			return nil
		},
		"act": func(s *sdk.Session[struct{}], _ string) error {
			s.Call(sdk.Call{Target: sdk.Act{Action: sdk.Action{Told: sdk.Order{Key: "k", Number: 1}}}})
			return nil
		},
	})
	for _, verb := range []string{"push", "consume", "settle", "raw", "lines", "told", "ordered", "act"} {
		b := plugintest.NewBench(t, p, plugintest.Config{Capabilities: []string{}})
		check(t, b.Send(plugintest.Opened(), plugintest.Text(verb)), "", "close 1011 internal error")
	}
}

// closer notes that it was closed.
type closer struct {
	*funcs[struct{}]
	closed chan struct{}
}

func (c closer) Close() error { close(c.closed); return nil }

func TestPluginIsClosedWithItsLink(t *testing.T) {
	c := closer{&funcs[struct{}]{step: func(*sdk.Session[struct{}], sdk.Event) error { return nil }}, make(chan struct{})}
	t.Run("link", func(t *testing.T) { plugintest.Step(t, c, plugintest.Text("x")) })
	<-c.closed
}

func TestTextThatIsNotUTF8FailsTheStep(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[state], string) error{
		"ask": func(s *sdk.Session[state], tag string) error {
			s.State.N++
			s.Call(sdk.Call{Tag: tag, Target: sdk.Act{}})
			return nil
		},
		"look": stateVerbs()["look"],
	})
	check(t, plugintest.Step(t, p, plugintest.Text("ask a"), plugintest.Text("ask \xff"), plugintest.Text("look")),
		"call a act 0\nput $={\"N\":1,\"Text\":\"\"}", "close 1011 internal error", "")
}
