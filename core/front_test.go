package core

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/internal/expr"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// guest is a plugin whose clients are known before they come in; name, what it owns and what it
// reserves differ from test to test.
type guest struct{ info sdk.Info }

func (g *guest) Describe() sdk.Info { return g.info }

func (g *guest) Encode(m sdk.Message) (sdk.OutFrame, error) {
	return sdk.OutFrame{Data: []byte("from elsewhere: " + m.Type)}, nil
}

func (g *guest) Step(s *sdk.Session[struct{}], ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Opened:
		who := "nobody"
		if id := s.Identity(); id != nil {
			who = id.Realm + " " + id.UserID + " " + string(id.Claims)
		}
		s.Textf("%s in [%s]", who, strings.Join(e.Channels, " "))
	case sdk.Answer:
		s.Textf("%s: %d %d %s", e.Tag, e.Outcome, e.Count, e.Reason)
		if len(e.Channels) > 0 {
			s.Textf("channels %v", e.Channels)
		}
		if id := e.Identity; id != nil && e.Subprotocol != "" {
			this := "nobody"
			if s.Identity() != nil {
				this = s.Identity().UserID
			}
			s.Textf("%s %s %s speaks %s, this is %s", id.Realm, id.UserID, id.Claims, e.Subprotocol, this)
		}
		if len(e.Join)+len(e.Leave) > 0 {
			s.Textf("join %v leave %v", e.Join, e.Leave)
		}
		for _, it := range e.Items {
			s.Textf("%s %v %v", it.Type, it.Channels, it.Users)
		}
	case sdk.Frame:
		words := strings.Fields(string(e.Data))
		switch words[0] {
		case "join":
			s.Join(words[1])
			s.Text("asked to join")
		case "say":
			s.Publish(sdk.Message{Type: words[1], Payload: sdk.JSON("{}")}, words[2:]...)
			s.Text("said")
		case "count":
			s.Call(sdk.Call{Tag: "count", Target: sdk.Counted{Channels: words[1:], Frames: []sdk.OutFrame{{Data: []byte("counted")}}}})
		case "except":
			s.Call(sdk.Call{Tag: "except", Target: sdk.Counted{
				Channels: words[2:], ExceptChannels: words[1:2], Message: &sdk.Message{Type: "t", Payload: sdk.JSON("{}")},
				Frames: []sdk.OutFrame{{Data: []byte("but for some")}},
			}})
		case "login":
			s.Call(sdk.Call{Tag: "login", Target: sdk.Authenticate{}})
		case "behalf":
			of := sdk.Authenticate{OnBehalf: true}
			if len(words) > 1 {
				of.Cookies = []sdk.Header{{Name: "token", Value: "theirs"}}
			}
			s.Call(sdk.Call{Tag: "behalf", Target: of})
		case "push":
			s.Call(sdk.Call{Tag: "push", Target: sdk.Ask{Type: "t", Push: true}})
		case "ask":
			s.Call(sdk.Call{Tag: "ask", Target: sdk.Ask{Type: "t", Payload: []byte(`"p"`)}})
		case "everybody":
			s.Call(sdk.Call{Tag: "everybody", Target: sdk.Select{Action: sdk.Action{Frames: []sdk.OutFrame{{Data: []byte("selected")}}}}})
		case "members":
			s.Call(sdk.Call{Tag: "members", Target: sdk.Select{Channel: words[1], Action: sdk.Action{Frames: []sdk.OutFrame{{Data: []byte("selected")}}}}})
		}
	}
	return nil
}

// says is an auth backend that says what its function says.
type says func(*auth.Request) auth.Answer

func (says) Realm() string { return "static.dev" }

func (f says) Authenticate(_ context.Context, req *auth.Request) auth.Answer { return f(req) }

// byToken knows the token "t" as the user u.
func byToken(req *auth.Request) auth.Answer {
	if req.Token != "t" || !req.HasToken {
		return auth.Answer{Outcome: neutral.Denied, Reason: "no"}
	}
	return auth.Answer{Outcome: neutral.OK, UserID: "u", Claims: []byte(`{"n":1463786910324359168}`), Joins: []string{"given"}}
}

type world struct {
	t *testing.T
	*Engine
}

func newWorld(t *testing.T, cfg EngineConfig) *world {
	t.Helper()
	w := &world{t, NewEngine(cfg)}
	t.Cleanup(func() {
		w.CloseSessions(session.CloseGoingAway, time.Now(), nil)
		w.Close()
	})
	return w
}

// add adds a guest with one route, whose id is the plugin's name.
func (w *world) add(info sdk.Info, r Route) {
	w.t.Helper()
	info.Version = "1.0.0"
	r.ID, r.Path = info.Name, "/"+info.Name
	err := w.AddPlugin(context.Background(), PluginSpec{
		Label:  info.Name,
		Routes: func() []Route { return []Route{r} },
		Settings: pluginhost.Settings{
			Launcher: plugintest.InMemory[struct{}](func() *guest { return &guest{info} }, plugintest.Logger(w.t)),
			Configure: func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
				return &pluginv1.ConfigureRequest{Routes: []*pluginv1.RouteConfig{{Id: r.ID, Path: r.Path}}}, nil
			},
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open(route string, who *session.Admission) *caller {
	w.t.Helper()
	t := &wireless{frames: make(chan string, 100)}
	s, err := w.Open(&session.Info{Route: route, RemoteAddress: "127.0.0.1:1"}, who, t)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &caller{s, w.t, t}
	select {
	case <-t.frames: // who it is
	case <-time.After(10 * time.Second):
		w.t.Fatal("the session was not greeted")
	}
	return c
}

func expression(t *testing.T, text string, roots ...string) *expr.Expr {
	t.Helper()
	e, diags := expr.Parse([]byte(text), "test", hcl.InitialPos, roots)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return e
}

// TestAdmit: who comes in at a handshake, by what of the request.
func TestAdmit(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	token := expression(t, "request.query.token", "request")
	w.add(sdk.Info{Name: "guest"}, Route{
		Auth: says(byToken), Token: token,
		Channels: expression(t, `["user/${user.id}", "given"]`, "user"),
	})
	w.add(sdk.Info{Name: "open"}, Route{})
	for _, tc := range []struct {
		name, route string
		query       string
		headers     []session.Header
		want        neutral.Outcome
	}{
		{"a bearer token", "guest", "", []session.Header{{Name: "authorization", Value: "bearer t"}}, neutral.OK},
		{"the route's expression", "guest", "token=t", nil, neutral.OK},
		{"a cookie", "guest", "", []session.Header{{Name: "cookie", Value: "a=b; token=t; c"}}, neutral.OK},
		{"the header counts more than the expression", "guest", "token=t", []session.Header{{Name: "authorization", Value: "Bearer x"}}, neutral.Denied},
		{"the expression counts more than the cookie", "guest", "token=x", []session.Header{{Name: "cookie", Value: "token=t"}}, neutral.Denied},
		{"nothing", "guest", "", nil, neutral.Denied},
		{"another scheme is no token", "guest", "", []session.Header{{Name: "authorization", Value: "Basic t"}}, neutral.Denied},
		{"a route without auth", "open", "", nil, neutral.OK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			who, ans, err := w.Admit(context.Background(), &session.Info{Route: tc.route, Query: tc.query, Headers: tc.headers})
			if err != nil || ans.Outcome != tc.want || (who != nil) != (tc.want == neutral.OK) {
				t.Errorf("%+v, %+v, %v, want outcome %s", who, ans, err, tc.want)
			}
		})
	}
	if _, _, err := w.Admit(context.Background(), &session.Info{Route: "nowhere"}); !errors.Is(err, ErrNoRoute) {
		t.Errorf("admit on no route: %v", err)
	}

	who, _, _ := w.Admit(context.Background(), &session.Info{Route: "guest", Query: "token=t"})
	tr := &wireless{frames: make(chan string, 100)}
	s, err := w.Open(&session.Info{Route: "guest", RemoteAddress: "127.0.0.1:1"}, who, tr)
	if err != nil {
		t.Fatal(err)
	}
	(&caller{s, t, tr}).hears(`static.dev u {"n":1463786910324359168} in [given user/u]`)
}

// TestChannelsOfNobody: where everybody may come in, a session has the channels of the route as well.
func TestChannelsOfNobody(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "open"}, Route{
		Channels: expression(t, `["lobby", user.id, claims.team, "at/${request.query.at}"]`, "user", "claims", "request"),
	})
	info := &session.Info{Route: "open", Query: "at=home", RemoteAddress: "127.0.0.1:1"}
	who, _, err := w.Admit(context.Background(), info)
	if err != nil {
		t.Fatal(err)
	}
	tr := &wireless{frames: make(chan string, 100)}
	s, err := w.Open(info, who, tr)
	if err != nil {
		t.Fatal(err)
	}
	(&caller{s, t, tr}).hears("nobody in [lobby at/home]")
}

// TestClaimedUserDiffersFromProven: whatever a backend answers, nobody comes in as somebody else than
// they claimed to be.
func TestClaimedUserDiffersFromProven(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "guest"}, Route{Auth: says(byToken)})
	r := w.route("guest")
	for _, tc := range []struct {
		claimed string
		want    neutral.Outcome
	}{{"", neutral.OK}, {"u", neutral.OK}, {"other", neutral.Denied}, {"U", neutral.Denied}} {
		ans, id := w.authenticate(context.Background(), r, &session.Info{}, &auth.Request{Token: "t", HasToken: true, UserID: tc.claimed})
		if ans.Outcome != tc.want || (id != nil) != (tc.want == neutral.OK) {
			t.Errorf("claimed %q: %s, %+v, want %s", tc.claimed, ans.Outcome, id, tc.want)
		}
	}
}

// TestExpiredWhileConnected: a session ends with the proof of who it is.
func TestExpiredWhileConnected(t *testing.T) {
	clock := &handClock{now: time.Unix(1_800_000_000, 0)}
	w := newWorld(t, EngineConfig{Clock: clock})
	w.add(sdk.Info{Name: "guest"}, Route{Auth: says(byToken)})
	id := &session.Identity{Realm: "static.dev", UserID: "u"}
	short := w.open("guest", &session.Admission{Identity: id, Expires: clock.Now().Add(time.Minute)})
	long := w.open("guest", &session.Admission{Identity: id})
	closed := func(c *caller) int {
		c.w.mu.Lock()
		defer c.w.mu.Unlock()
		return c.w.code
	}
	clock.advance(time.Minute - time.Millisecond)
	if code := closed(short); code != 0 {
		t.Fatalf("closed with %d before it expired", code)
	}
	clock.advance(2 * time.Millisecond)
	until(t, "the session is closed", func() bool { return closed(short) == session.CloseExpired.Code })
	if code := closed(long); code != 0 {
		t.Errorf("a session without an end was closed with %d", code)
	}
}

// handClock is time that the test lets pass; what runs out does so at once.
type handClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*handTimer
}

type handTimer struct {
	clock *handClock
	at    time.Time
	f     func() // nil: stopped, or done
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) AfterFunc(d time.Duration, f func()) actor.Stopper {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &handTimer{c, c.now.Add(d), f}
	c.timers = append(c.timers, t)
	return t
}

func (t *handTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	was := t.f != nil
	t.f = nil
	return was
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []func()
	for _, t := range c.timers {
		if t.f != nil && !t.at.After(c.now) {
			due = append(due, t.f)
			t.f = nil
		}
	}
	c.mu.Unlock()
	for _, f := range due {
		f()
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(10 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// TestOwnedChannel: nobody joins or publishes to what belongs to another plugin, unless a channel
// block lets them.
func TestOwnedChannel(t *testing.T) {
	w := newWorld(t, EngineConfig{Channels: []access.Block{{
		Pattern: "room/*", Join: &access.Peers{Plugins: []string{"friend"}}, Publish: &access.Peers{Realms: []string{"static.dev"}},
	}}})
	w.add(sdk.Info{Name: "owner", Owns: []string{"room/"}}, Route{})
	w.add(sdk.Info{Name: "friend"}, Route{})
	w.add(sdk.Info{Name: "stranger"}, Route{})
	owner, friend, stranger := w.open("owner", nil), w.open("friend", nil), w.open("stranger", nil)
	ops := w.open("stranger", &session.Admission{Identity: &session.Identity{Realm: "static.dev", UserID: "ops"}})
	for _, c := range []*caller{owner, friend, stranger} {
		c.say("join room/1")
		c.hears("asked to join")
	}
	for _, tc := range []struct {
		group   string
		members int
	}{{"owner", 1}, {"friend", 1}, {"stranger", 0}} {
		if got := len(w.attached(tc.group).group.Load().Members("room/1")); got != tc.members {
			t.Errorf("%s has %d members, want %d", tc.group, got, tc.members)
		}
	}

	stranger.say("count room/1")
	stranger.hears("count: 2 0 " + w.rules.Load().Publish(access.Subject{Plugin: "stranger"}, "room/1").Error())
	stranger.say("say forged room/1")
	stranger.hears("said")
	owner.say("count room/1") // nothing came before it
	owner.hears("counted")
	ops.say("say news room/1")
	owner.hears("count: 1 1 ")
	ops.hears("said")
	owner.hears("from elsewhere: news")
	friend.hears("from elsewhere: news")
}

// TestNamesThatAreNone: what cannot be a channel is none, and what looks like a pattern is a name.
func TestNamesThatAreNone(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "guest"}, Route{})
	g := w.attached("guest")
	c := w.open("guest", nil)
	for _, name := range []string{"", "$a b", "a b", "a\tb", "a\x00", strings.Repeat("x", 256), "\xff"} {
		if g.Join(c.Session, name) {
			t.Errorf("joined %q", name)
		}
		if _, err := g.Count(t.Context(), nil, "", &pluginv1.Publish{Channels: []string{name}}, new(session.Dirty)); err == nil {
			t.Errorf("published to %q", name)
		}
	}
	for _, name := range []string{"*", "chat/*", "a.b", ">", "a>b", "@x", "a|b", "a:b", "…"} {
		if !g.Join(c.Session, name) {
			t.Errorf("did not join %q, which is an ordinary name", name)
		}
	}
	c.say("count chat/1 a/b x")
	c.hears("count: 1 0 ") // patterns exist in bridge.hcl only
}

// TestForgedReservedType: a type that a protocol keeps for itself crosses in neither direction.
func TestForgedReservedType(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "strict", Reserved: []string{"strict/*", "authorize"}}, Route{})
	w.add(sdk.Info{Name: "other"}, Route{})
	strict, other := w.open("strict", nil), w.open("other", nil)
	for _, c := range []*caller{strict, other} {
		c.say("join c")
		c.hears("asked to join")
	}
	for _, typ := range []string{"strict/undo", "authorize"} {
		other.say("say %s c", typ)
		other.hears("from elsewhere: " + typ) // its own form, within its own protocol
		other.hears("said")
		strict.say("say %s c", typ)
		strict.hears("from elsewhere: " + typ)
		strict.hears("said")
	}
	other.say("say plain c")
	strict.hears("from elsewhere: plain") // and nothing before it
	other.hears("from elsewhere: plain")
	other.hears("said")
	strict.say("say plain c")
	other.hears("from elsewhere: plain")
}

// TestUserHeldToChannels: a user of an API reaches the channels it is held to, and no others.
func TestUserHeldToChannels(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "guest"}, Route{})
	held := w.open("guest", &session.Admission{Identity: &session.Identity{
		Realm: "basic.ops", UserID: "console", Within: []channel.Pattern{"news/*"},
	}})
	member := w.open("guest", nil)
	member.say("join news/1")
	member.hears("asked to join")
	member.say("join other")
	member.hears("asked to join")

	held.say("count news/1 other")
	member.hears("counted")
	held.hears("count: 1 1 ")
	held.say("count other")
	held.hears("count: 2 0 " + access.ErrWithin.Error() + `: add "other" to the user's channels`)
	held.say("members other")
	held.hears("members: 2 0 you may not act on this channel")
	held.say("everybody")
	held.hears("everybody: 2 0 you may select by your channels only")
	held.say("members news/1")
	member.hears("selected")
	held.hears("members: 1 1 ")
}

// TestMirror: what is published on some channels goes to the upstreams that mirror them, but for what
// a protocol keeps to itself.
func TestMirror(t *testing.T) {
	type sent struct {
		channels string
		typ      string
	}
	got := make(chan sent, 10)
	w := newWorld(t, EngineConfig{Mirrors: []Mirror{{Channels: []channel.Pattern{"users/*", "all"}, To: func(channels []string, m *hub.Message) {
		got <- sent{strings.Join(channels, " "), m.Type}
	}}}})
	w.add(sdk.Info{Name: "guest", Reserved: []string{"own"}}, Route{})
	c := w.open("guest", nil)
	for _, say := range []string{"say a users/1 other all", "say b other", "say own users/1", "say c all"} {
		c.say("%s", say)
		c.hears("said")
	}
	for _, want := range []sent{{"users/1 all", "a"}, {"all", "c"}} {
		if s := <-got; s != want {
			t.Errorf("mirrored %+v, want %+v", s, want)
		}
	}
	if len(got) != 0 {
		t.Errorf("mirrored besides: %+v", <-got)
	}
}

// TestMirrorBack: what a route takes from a Logux server, or for it, is not mirrored back there.
func TestMirrorBack(t *testing.T) {
	got := make(chan string, 10)
	mirror := func(name string) Mirror {
		return Mirror{Upstream: name, Channels: []channel.Pattern{"*"}, To: func([]string, *hub.Message) { got <- name }}
	}
	w := newWorld(t, EngineConfig{Mirrors: []Mirror{mirror("logux_server.a"), mirror("logux_server.b")}})
	w.add(sdk.Info{Name: "relay"}, Route{UpstreamName: "logux_server.a"})
	w.add(sdk.Info{Name: "backend"}, Route{UpstreamName: "logux.app", PushName: "logux_server.b"})
	w.add(sdk.Info{Name: "other"}, Route{})
	for route, want := range map[string]string{"relay": "logux_server.b", "backend": "logux_server.a", "other": "logux_server.a logux_server.b"} {
		c := w.open(route, nil)
		c.say("say a news")
		c.hears("said")
		var names []string
		for len(got) > 0 {
			names = append(names, <-got)
		}
		if text := strings.Join(names, " "); text != want {
			t.Errorf("from the route %q it is mirrored to %q, want %q", route, text, want)
		}
	}
}
