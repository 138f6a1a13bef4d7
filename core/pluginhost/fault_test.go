package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// echo answers each frame, and does what some of them say.
func echo(in *fakeProcess, ev *wire.Event) []wire.Command {
	if ev.Kind != wire.Frame {
		return nil
	}
	switch text := string(ev.Data); text {
	case "die":
		in.byItself.Store(true)
		in.Kill()
		return nil
	case "hang":
		<-in.dead
		in.byItself.Store(true) // so that it is not acked
		return nil
	default:
		return []wire.Command{say(text)}
	}
}

// TestPoison: an event that ends the process each time costs its own session, and nobody else
// anything but a pause.
func TestPoison(t *testing.T) {
	w := newWorld(t, nil, echo, nil)
	good, bad := w.open(), w.open()
	good.say("before")
	bad.say("die")
	for i := range 100 {
		good.say(fmt.Sprint(i))
	}
	eventually(t, "the neighbour's answers", func() bool { return len(good.got()) == 101 })
	eventually(t, "the culprit's end", func() bool {
		bad.mu.Lock()
		defer bad.mu.Unlock()
		return bad.code == 1011
	})
	bad.Ended(1011, "", false)
	eventually(t, "its last event", func() bool {
		w.host.mu.Lock()
		defer w.host.mu.Unlock()
		return w.host.ended[bad.ID] == 1
	})
	if st := w.Status(); st.Restarts > 2 || st.Culprits != 1 {
		t.Errorf("status %+v, want at most 2 restarts and 1 culprit", st)
	}
	if good.code != 0 {
		t.Errorf("the neighbour was closed with %d", good.code)
	}
}

// TestPoisonAgain: while poison is about, each further dose costs one restart, not two.
func TestPoisonAgain(t *testing.T) {
	w := newWorld(t, nil, echo, nil)
	for i := range 5 {
		bad := w.open()
		bad.say("die")
		eventually(t, "the culprit's end", func() bool { return w.culprits.Load() == uint64(i+1) })
	}
	if n := w.restarts.Load(); n > 6 {
		t.Errorf("%d restarts for 5 doses, want at most 6", n)
	}
}

// TestHang: an event that holds up the process each time costs its own session, too.
func TestHang(t *testing.T) {
	w := newWorld(t, nil, echo, func(c *Config) { c.EventTimeout = 200 * time.Millisecond })
	good, bad := w.open(), w.open()
	bad.say("hang")
	good.say("one")
	eventually(t, "the culprit's end", func() bool { return w.culprits.Load() == 1 }, w.dump)
	good.say("two")
	eventually(t, "the neighbour's answers", func() bool { return len(good.got()) == 2 })
	bad.mu.Lock()
	defer bad.mu.Unlock()
	if bad.code != 1011 {
		t.Errorf("closed with %d, want 1011", bad.code)
	}
}

// TestContained: what a plugin does against the contract ends its process, is named, and its other
// sessions go on with the next.
func TestContained(t *testing.T) {
	tests := map[string]struct {
		commands func(ev *wire.Event, other uint64) []wire.Command
		step     func(ev *wire.Event) []wire.Step // instead of commands
		want     string
	}{
		"unknown command": {
			commands: func(*wire.Event, uint64) []wire.Command { return []wire.Command{{Kind: 99}} },
			want:     "unknown command",
		},
		"session of another actor": {
			commands: func(_ *wire.Event, other uint64) []wire.Command {
				return []wire.Command{{Session: other, Kind: wire.Send, Data: []byte("x")}}
			},
			want: "is not of actor",
		},
		"too much state": {
			commands: func(*wire.Event, uint64) []wire.Command {
				return []wire.Command{{Kind: wire.PutState, Key: "k", Data: make([]byte, defaultMaxState+1)}}
			},
			want: "262144 are allowed",
		},
		"encode for a frame": {
			commands: func(*wire.Event, uint64) []wire.Command {
				return []wire.Command{{Kind: wire.Encode, Cold: &pluginv1.Encode{}}}
			},
			want: "encode in a step for another event",
		},
		"bind before the end": {
			commands: func(*wire.Event, uint64) []wire.Command {
				return []wire.Command{{Kind: wire.Bind, Key: "k"}, say("x")}
			},
			want: "bind at the wrong place",
		},
		"queue without the capability": {
			commands: func(*wire.Event, uint64) []wire.Command {
				return []wire.Command{{Kind: wire.Push, Cold: &pluginv1.Push{Topic: "t"}}}
			},
			want: "without the capability",
		},
		"ack twice": {
			step: func(ev *wire.Event) []wire.Step {
				return []wire.Step{{Actor: ev.Actor, Seq: ev.Seq}, {Actor: ev.Actor, Seq: ev.Seq}}
			},
			want: "no event in flight",
		},
		"ack of what was not delivered": {
			step: func(ev *wire.Event) []wire.Step { return []wire.Step{{Actor: ev.Actor, Seq: ev.Seq + 7}} },
			want: "is next",
		},
		"ack for nobody": {
			step: func(*wire.Event) []wire.Step { return []wire.Step{{Actor: 1 << 60, Seq: 1}} },
			want: "which does not exist",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var other uint64
			w := newWorld(t, nil, func(in *fakeProcess, ev *wire.Event) []wire.Command {
				if ev.Kind != wire.Frame || string(ev.Data) != "bad" {
					return echo(in, ev)
				}
				if tt.commands != nil {
					return tt.commands(ev, other)
				}
				for _, st := range tt.step(ev) {
					b, err := wire.AppendStep(nil, &st)
					if err != nil {
						t.Error(err)
					}
					in.out <- b
				}
				<-in.dead
				in.byItself.Store(true)
				return nil
			}, func(c *Config) { c.EventTimeout = 300 * time.Millisecond })
			good, bad := w.open(), w.open()
			other = good.ID
			good.say("one")
			bad.say("bad")
			eventually(t, "a fault", func() bool { return strings.Contains(w.Status().Error, tt.want) }, w.dump)
			if st := w.Status(); st.Mend == "" {
				t.Errorf("fault without a mend: %+v", st)
			}
			if tt.step == nil {
				eventually(t, "the culprit's end", func() bool { return w.culprits.Load() == 1 }, w.dump)
			}
			good.say("two")
			eventually(t, "the neighbour's answers", func() bool { return len(good.got()) == 2 }, w.dump)
		})
	}
}

// TestGarbage: bytes that are no batch are contained like any other fault.
func TestGarbage(t *testing.T) {
	w := newWorld(t, nil, echo, nil)
	c := w.open()
	c.say("one")
	eventually(t, "an answer", func() bool { return len(c.got()) == 1 })
	w.launcher.last().out <- []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f}
	eventually(t, "a fault", func() bool { return strings.Contains(w.Status().Error, "malformed batch") })
	c.say("two")
	eventually(t, "the next answer", func() bool { return len(c.got()) == 2 })
}

// TestNoText: what strangers or back-ends say that is no text ends no instance.
func TestNoText(t *testing.T) {
	const bad = "a\xffb"
	got := make(chan *pluginv1.Snapshot, 10)
	w := newWorld(t, nil, func(in *fakeProcess, ev *wire.Event) []wire.Command {
		if ev.Kind == wire.Frame {
			got <- in.actors[ev.Actor].snapshot
		}
		return echo(in, ev)
	}, nil)
	c := &client{nil, &fakeTransport{}}
	info := &session.Info{Route: "r", Path: bad, Query: bad, Host: bad, Headers: []session.Header{{Name: bad, Value: bad}}}
	who := &session.Admission{Identity: &session.Identity{Realm: bad, UserID: bad}, Channels: []string{bad}}
	c.Session = w.OpenSession(info, who, c.fakeTransport, session.NewLimits(session.Limits{}))
	w.launcher.last().byItself.Store(true)
	c.say("one")
	eventually(t, "an answer", func() bool { return len(c.got()) == 1 }, w.dump)
	w.launcher.last().Kill()
	eventually(t, "another instance", func() bool { return w.restarts.Load() == 1 && w.Ready() }, w.dump)
	c.say("two")
	eventually(t, "another answer", func() bool { return len(c.got()) == 2 }, w.dump)
	for range 2 {
		const mended = "a\ufffdb"
		s := <-got
		if i := s.GetSession(); i.GetPath() != mended || i.GetQuery() != mended || i.GetHeaders()[0].GetKey() != mended ||
			string(i.GetHeaders()[0].GetValue()) != bad || s.GetIdentity().GetUserId() != mended {
			t.Errorf("got %v", s)
		}
	}
	if w.restarts.Load() != 1 || w.culprits.Load() != 0 {
		t.Errorf("status %+v", w.Status())
	}
}

// TestStartFails: a plugin that cannot start is tried again, and says how it is.
func TestStartFails(t *testing.T) {
	w := &world{launcher: &fakeLauncher{brain: echo, fail: os.ErrPermission}, host: newFakeHost()}
	w.Plugin = New(Config{
		Label: "fake", Host: w.host, Logger: discard(), NewID: func() uint64 { return w.ids.Add(1) },
		Settings: Settings{Launcher: w.launcher, Configure: func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
			return &pluginv1.ConfigureRequest{}, nil
		}},
	})
	t.Cleanup(w.Stop)
	if err := w.Start(context.Background()); !errors.Is(err, os.ErrPermission) {
		t.Fatalf("start: %v", err)
	}
	if st := w.Status(); st.State != "failing" || w.Ready() || !strings.Contains(st.Mend, "executable") {
		t.Errorf("status %+v", st)
	}
	w.launcher.mu.Lock()
	w.launcher.fail = nil
	w.launcher.mu.Unlock()
	eventually(t, "a start", w.Ready)
	if st := w.Status(); st.State != "running" {
		t.Errorf("status %+v", st)
	}
}

// TestWrongConfiguration is not tried again.
func TestWrongConfiguration(t *testing.T) {
	w := &world{launcher: &fakeLauncher{brain: echo}, host: newFakeHost()}
	w.Plugin = New(Config{
		Label: "fake", Host: w.host, Logger: discard(), NewID: func() uint64 { return w.ids.Add(1) },
		Settings: Settings{Launcher: w.launcher, Configure: func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
			return nil, errors.New("wrong")
		}},
	})
	t.Cleanup(w.Stop)
	if err := w.Start(context.Background()); !errors.Is(err, ErrConfig) {
		t.Fatalf("start: %v", err)
	}
}

// TestUnreadableState: an upgrade that cannot read what is there is refused, and nobody notices.
func TestUnreadableState(t *testing.T) {
	w := newWorld(t, &pluginv1.DescribeResponse{Name: "fake", StateVersion: 1}, echo, nil)
	c := w.open()
	w.launcher.mu.Lock()
	w.launcher.desc = &pluginv1.DescribeResponse{Name: "fake", Version: "2", StateVersion: 3, ReadsState: []uint32{2}}
	w.launcher.mu.Unlock()
	if err := w.Replace(); err == nil || !strings.Contains(err.Error(), "cannot read state of version 1") {
		t.Fatalf("replace: %v", err)
	}
	c.say("one")
	eventually(t, "an answer", func() bool { return len(c.got()) == 1 })
	if w.restarts.Load() != 0 {
		t.Error("the old instance was restarted")
	}
}

// TestFramesAfterClose: what a client sent behind the frame for which the plugin closed it is nobody's
// business, also not the next instance's.
func TestFramesAfterClose(t *testing.T) {
	w := newWorld(t, nil, func(_ *fakeProcess, ev *wire.Event) []wire.Command {
		switch {
		case ev.Kind != wire.Frame:
			return nil
		case string(ev.Data) == "bye":
			return []wire.Command{{Kind: wire.Close, Number: 1008}}
		}
		return []wire.Command{{Kind: wire.Call, Cold: &pluginv1.Call{Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{}}}}}
	}, nil)
	w.launcher.last().dieAt.Store(2) // with the close applied, and nothing behind it handled
	c := w.open()
	c.say("bye")
	for range 5 {
		c.say("late")
	}
	eventually(t, "a restart", func() bool { return w.restarts.Load() == 1 && w.current.Load() != nil })
	c.say("later")
	c.Ended(1008, "", false)
	eventually(t, "the session's end", func() bool {
		w.host.mu.Lock()
		defer w.host.mu.Unlock()
		return w.host.ended[c.ID] == 1
	}, w.dump)
	w.host.mu.Lock()
	defer w.host.mu.Unlock()
	if n := len(w.host.asked); n != 0 {
		t.Errorf("%d calls for frames behind the close", n)
	}
	if n := c.InFlight(); n != 0 {
		t.Errorf("%d events still in the window", n)
	}
}

// TestCloseReason: the reason for which a plugin closes is kept for as long as the client takes to
// answer, longer than the memory that it came in.
func TestCloseReason(t *testing.T) {
	reasons := make(chan string, 1)
	w := newWorld(t, nil, func(_ *fakeProcess, ev *wire.Event) []wire.Command {
		switch cold := ev.Cold.(type) {
		case *pluginv1.Closed:
			reasons <- cold.GetReason()
		case nil:
			if string(ev.Data) == "bye" {
				return []wire.Command{{Kind: wire.Close, Number: 1008, Key: "not today"}}
			}
			return []wire.Command{say("still here")}
		}
		return nil
	}, nil)
	c, other := w.open(), w.open()
	c.say("bye")
	other.say("and you?")
	eventually(t, "an answer behind the close", func() bool { return len(other.got()) == 1 })
	other.say("really?")
	eventually(t, "a batch behind that", func() bool { return len(other.got()) == 2 })
	c.Ended(1008, "", true)
	select {
	case got := <-reasons:
		if got != "not today" {
			t.Errorf("the plugin closed for %q, and is told %q", "not today", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("no end\n" + w.dump())
	}
}

// TestStateVersion: a new version is told with which version the state was written.
func TestStateVersion(t *testing.T) {
	versions := make(chan uint32, 10)
	w := newWorld(t, &pluginv1.DescribeResponse{Name: "fake", StateVersion: 1}, func(in *fakeProcess, ev *wire.Event) []wire.Command {
		if ev.Kind != wire.Frame {
			return nil
		}
		versions <- in.actors[ev.Actor].snapshot.GetStateVersion()
		return []wire.Command{in.put(ev, "k", string(ev.Data)), say("ok")}
	}, nil)
	upgrade := func(version uint32, reads ...uint32) error {
		w.launcher.mu.Lock()
		w.launcher.desc = &pluginv1.DescribeResponse{Name: "fake", StateVersion: version, ReadsState: reads}
		w.launcher.mu.Unlock()
		return w.Replace()
	}
	expect := func(c *client, want uint32) {
		t.Helper()
		c.say("x")
		if got := <-versions; got != want {
			t.Errorf("state came as version %d, want %d", got, want)
		}
	}
	old, idle := w.open(), w.open()
	expect(old, 0) // none yet
	expect(idle, 0)
	if err := upgrade(2, 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new version", func() bool { return w.current.Load() != nil && w.current.Load().stateVersion == 2 })
	expect(old, 1)
	// State of version 1 is still there, on the session that said nothing.
	if err := upgrade(3, 2); err == nil || !strings.Contains(err.Error(), "cannot read state of version 1") {
		t.Errorf("an upgrade that cannot read version 1: %v", err)
	}
	if err := upgrade(3, 2, 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new version", func() bool { return w.current.Load() != nil && w.current.Load().stateVersion == 3 })
	expect(old, 2)
	expect(idle, 1)
}
