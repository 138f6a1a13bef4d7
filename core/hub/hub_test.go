package hub

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/protocol-bridge/bridge/core/session"
)

// sink is a transport that keeps what was sent.
type sink struct {
	mu     sync.Mutex
	frames []string
}

func (k *sink) AppendFrame(dst, data []byte, _ bool) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.frames = append(k.frames, string(data))
	return append(dst, data...)
}
func (k *sink) AppendClose(dst []byte, _ int, _ string) []byte { return dst }
func (k *sink) TryWrite(p []byte) (int, error)                 { return len(p), nil }
func (k *sink) Write(p []byte) (int, error)                    { return len(p), nil }
func (k *sink) SetWriteDeadline(time.Time) error               { return nil }
func (k *sink) CloseWrite() error                              { return nil }
func (k *sink) Close() error                                   { return nil }

func (k *sink) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.frames
	k.frames = nil
	return f
}

type nobody struct{}

func (nobody) Frame(*session.Session, []byte, bool)       {}
func (nobody) Eof(*session.Session)                       {}
func (nobody) Closed(*session.Session, int, string, bool) {}

type person struct {
	*session.Session
	*sink
}

func (g *Group) person(id uint64) *person {
	k := &sink{}
	s := session.New(id, &session.Info{}, k, nobody{}, session.NewLimits(session.Limits{}))
	g.Add(s)
	return &person{s, k}
}

func text(s string) []Variant { return []Variant{{Data: []byte(s)}} }

func (g *Group) say(s string, except []uint64, channels ...string) int {
	var dirty session.Dirty
	n := g.Publish(channels, Except{IDs: except}, text(s), &dirty)
	dirty.Flush()
	return n
}

func TestPublish(t *testing.T) {
	g := New().Group("a", Options{})
	p1, p2, p3 := g.person(1), g.person(2), g.person(3)
	g.Join(p1.Session, "x")
	g.Join(p2.Session, "x")
	g.Join(p2.Session, "y")
	g.Join(p3.Session, "y")
	if n := g.say("hi", []uint64{3}, "x", "y"); n != 2 {
		t.Errorf("%d receivers, want 2", n)
	}
	for i, want := range []int{1, 1, 0} {
		if got := []*person{p1, p2, p3}[i].take(); len(got) != want {
			t.Errorf("person %d got %q", i+1, got)
		}
	}
	g.Leave(p1.Session, "x")
	g.Remove(p2.Session)
	if n := g.say("hi", nil, "x"); n != 0 {
		t.Errorf("%d receivers after all had left", n)
	}
	if g.Join(p2.Session, "x") {
		t.Error("a removed session joined")
	}
}

func TestVariants(t *testing.T) {
	g := New().Group("a", Options{})
	plain, tuned := g.person(1), g.person(2)
	tuned.SetTuning(&session.Tuning{Variant: "v", Variables: map[string]int64{"base": 40}})
	g.Join(plain.Session, "x")
	g.Join(tuned.Session, "x")
	var dirty session.Dirty
	g.Publish([]string{"x"}, Except{}, []Variant{
		{Data: []byte(`{"id":""}`), Slots: []Slot{{At: 7, RandomID: 10}}},
		{Name: "v", Data: []byte(`[,]`), Slots: []Slot{{At: 1, Number: 42, Minus: "base"}, {At: 2, Number: 5, Minus: "none"}}},
	}, &dirty)
	if got := plain.take(); len(got) != 1 || !regexp.MustCompile(`^{"id":"[A-Za-z0-9_-]{10}"}$`).MatchString(got[0]) {
		t.Errorf("fallback variant: %q", got)
	}
	if got := tuned.take(); len(got) != 1 || got[0] != "[2,5]" {
		t.Errorf("tuned variant: %q, want [2,5]", got)
	}
}

func TestHand(t *testing.T) {
	h := New()
	type delivery struct {
		channels []string
		typ      string
	}
	got := map[string][]delivery{}
	group := func(name string, owns, reserved []string) *Group {
		return h.Group(name, Options{Owns: owns, Reserved: reserved, Deliver: func(channels []string, m *Message, done func()) {
			got[name] = append(got[name], delivery{channels, m.Type})
			done()
		}})
	}
	from := group("from", nil, []string{"from/*"})
	group("owner", []string{"own/"}, nil)
	member := group("member", nil, []string{"secret"})
	group("stranger", nil, nil)
	member.Join(member.person(1).Session, "x")

	for _, typ := range []string{"news", "from/internal", "secret"} {
		from.Hand([]string{"x", "own/1", "y"}, &Message{Type: typ})
	}
	want := map[string]string{
		"owner":  "[{[own/1] news} {[own/1] secret}]",
		"member": "[{[x] news}]",
	}
	for name := range map[string]bool{"from": true, "owner": true, "member": true, "stranger": true} {
		w := want[name]
		if w == "" {
			w = "[]"
		}
		if s := fmt.Sprint(got[name]); s != w {
			t.Errorf("%s got %s, want %s", name, s, w)
		}
	}
}

// TestOverflow: messages that wait to be encoded are bounded in bytes, and what is above is counted.
func TestOverflow(t *testing.T) {
	h := New()
	var pending []func()
	to := h.Group("to", Options{MaxPending: 3000, Deliver: func(_ []string, _ *Message, done func()) { pending = append(pending, done) }})
	from := h.Group("from", Options{})
	to.Join(to.person(1).Session, "x")
	m := &Message{Type: "t", Payload: []byte(strings.Repeat("x", 1000))}
	for range 5 {
		from.Hand([]string{"x"}, m)
	}
	if len(pending) != 2 || to.Counts().Overflow != 3 {
		t.Fatalf("%d waiting, %d dropped; want 2 and 3", len(pending), to.Counts().Overflow)
	}
	for _, done := range pending {
		done()
	}
	from.Hand([]string{"x"}, m)
	if len(pending) != 3 {
		t.Error("nothing is taken after the others were done")
	}
}

// TestMembership compares with a plain map under random joins, leaves and removals.
func TestMembership(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := New().Group("a", Options{})
		people := map[uint64]*person{}
		model := map[string]map[uint64]bool{}
		channel := rapid.SampledFrom([]string{"a", "b", "c"})
		id := rapid.Uint64Range(1, 60)
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				i, c := id.Draw(t, "id"), channel.Draw(t, "channel")
				if people[i] == nil {
					people[i] = g.person(i)
				}
				if model[c] == nil {
					model[c] = map[uint64]bool{}
				}
				if g.Join(people[i].Session, c) == model[c][i] {
					t.Fatalf("join of %d to %s", i, c)
				}
				model[c][i] = true
			},
			"leave": func(t *rapid.T) {
				i, c := id.Draw(t, "id"), channel.Draw(t, "channel")
				if people[i] == nil {
					return
				}
				if g.Leave(people[i].Session, c) != model[c][i] {
					t.Fatalf("leave of %d from %s", i, c)
				}
				delete(model[c], i)
			},
			"remove": func(t *rapid.T) {
				i := id.Draw(t, "id")
				if people[i] == nil {
					return
				}
				g.Remove(people[i].Session)
				delete(people, i)
				for _, m := range model {
					delete(m, i)
				}
			},
			"": func(t *rapid.T) {
				for c, m := range model {
					var got, want []uint64
					for _, s := range g.Members(c) {
						got = append(got, s.ID)
					}
					for i := range m {
						want = append(want, i)
					}
					slices.Sort(got)
					slices.Sort(want)
					if !slices.Equal(got, want) {
						t.Fatalf("members of %s: %v, want %v", c, got, want)
					}
				}
				if g.Len() != len(people) {
					t.Fatalf("%d sessions, want %d", g.Len(), len(people))
				}
			},
		})
	})
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := New().Group("a", Options{})
			for i := range n {
				g.Join(g.person(uint64(i+1)).Session, "x")
			}
			v := text(`{"hello":"world"}`)
			var dirty session.Dirty
			b.ReportAllocs()
			for b.Loop() {
				g.Publish([]string{"x"}, Except{}, v, &dirty)
				dirty.Flush()
			}
		})
	}
}
