package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/core/upstream"
	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/sdk"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// logBuffer is a log that a test reads while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func ids(page admin.SessionPage) string {
	var list []string
	for i := range page.Sessions {
		list = append(list, page.Sessions[i].ID.String())
	}
	return strings.Join(list, " ")
}

func (c *caller) id() admin.ID { return admin.ID(c.ID) }

func all(callers ...*caller) string {
	var list []string
	for _, c := range callers {
		list = append(list, c.id().String())
	}
	return strings.Join(list, " ")
}

func TestSessions(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "one"}, Route{})
	w.add(sdk.Info{Name: "two"}, Route{})
	as := func(realm, user string, channels ...string) *session.Admission {
		return &session.Admission{Identity: &session.Identity{Realm: realm, UserID: user, Claims: []byte(`{"secret":1}`)}, Channels: channels}
	}
	nobody := w.open("one", nil)
	ada := w.open("one", as("static.dev", "ada", "news"))
	ada2 := w.open("two", as("static.dev", "ada"))
	other := w.open("two", as("jwt.site", "ada", "news", "sport"))
	other.PutContext("room", []byte("secret"))
	other.PutContext("lang", []byte("en"))

	tests := map[string]struct {
		query admin.SessionQuery
		want  string
		next  admin.ID
	}{
		"all":               {query: admin.SessionQuery{}, want: all(nobody, ada, ada2, other)},
		"as many as fit":    {query: admin.SessionQuery{Limit: 4}, want: all(nobody, ada, ada2, other)},
		"the first page":    {query: admin.SessionQuery{Limit: 3}, want: all(nobody, ada, ada2), next: ada2.id()},
		"the next":          {query: admin.SessionQuery{Limit: 3, After: ada2.id()}, want: all(other)},
		"after the last":    {query: admin.SessionQuery{After: other.id()}},
		"user":              {query: admin.SessionQuery{User: "ada"}, want: all(ada, ada2, other)},
		"user of a realm":   {query: admin.SessionQuery{User: "ada", Realm: "static.dev"}, want: all(ada, ada2)},
		"realm":             {query: admin.SessionQuery{Realm: "jwt.site"}, want: all(other)},
		"nobody's user":     {query: admin.SessionQuery{User: "eve"}},
		"plugin":            {query: admin.SessionQuery{Plugin: "one"}, want: all(nobody, ada)},
		"route":             {query: admin.SessionQuery{Route: "two"}, want: all(ada2, other)},
		"path":              {query: admin.SessionQuery{Route: "/two"}, want: all(ada2, other)},
		"no such route":     {query: admin.SessionQuery{Route: "/three"}},
		"channel":           {query: admin.SessionQuery{Channel: "news"}, want: all(ada, other)},
		"channel of a user": {query: admin.SessionQuery{Channel: "news", Realm: "static.dev"}, want: all(ada)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if page := w.Sessions(tt.query); ids(page) != tt.want || page.Next != tt.next {
				t.Errorf("%+v: got %s, next %d, want %s, next %d", tt.query, ids(page), page.Next, tt.want, tt.next)
			}
		})
	}

	st, ok := w.Session(other.id())
	text, err := json.Marshal(st)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if opened := time.Since(st.Opened); opened < -time.Minute || opened > time.Minute {
		t.Errorf("opened %v ago", opened)
	}
	opened, _ := json.Marshal(st.Opened)
	want := fmt.Sprintf(`{"id":"%d","plugin":"two","route":"two","user":"ada","realm":"jwt.site","remote_address":"127.0.0.1:1",`+
		`"transport":"websocket","opened":%s,"channels":["news","sport"],"outbox_bytes":0,"in_flight":%d,"context":["lang","room"]}`, other.ID, opened, st.InFlight)
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if _, ok := w.Session(1); ok {
		t.Error("there is a session 1")
	}
}

func TestCloseThose(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "one"}, Route{})
	w.add(sdk.Info{Name: "two"}, Route{})
	as := func(realm string) *session.Admission {
		return &session.Admission{Identity: &session.Identity{Realm: realm, UserID: "ada"}}
	}
	a, b, c, d := w.open("one", as("x")), w.open("one", as("y")), w.open("two", nil), w.open("two", nil)
	tests := []struct {
		name   string
		req    admin.CloseRequest
		want   int
		err    string
		closed *caller
		code   int
	}{
		{name: "nobody", req: admin.CloseRequest{User: "eve"}},
		{name: "no such id", req: admin.CloseRequest{IDs: []admin.ID{1}}},
		{name: "nobody named", req: admin.CloseRequest{}},
		{name: "bad code", req: admin.CloseRequest{Route: "/two", Code: 1006}, err: "code 1006"},
		{name: "code below", req: admin.CloseRequest{Route: "/two", Code: -1}, err: "code -1"},
		{name: "long reason", req: admin.CloseRequest{Route: "/two", Reason: strings.Repeat("x", 124)}, err: "123 bytes"},
		{name: "user of a realm", req: admin.CloseRequest{User: "ada", Realm: "y"}, want: 1, closed: b, code: 1000},
		{name: "again", req: admin.CloseRequest{User: "ada", Realm: "y"}},
		{name: "user", req: admin.CloseRequest{User: "ada", Code: 4001, Reason: "out"}, want: 1, closed: a, code: 4001},
		{name: "ids", req: admin.CloseRequest{IDs: []admin.ID{c.id(), c.id(), 7}, Code: 3000}, want: 1, closed: c, code: 3000},
		{name: "route", req: admin.CloseRequest{Route: "/two"}, want: 1, closed: d, code: 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := w.CloseThose(&tt.req)
			if n != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("%+v: %d, %v, want %d, %q", tt.req, n, err, tt.want, tt.err)
			}
			if tt.closed == nil {
				return
			}
			tt.closed.w.mu.Lock()
			defer tt.closed.w.mu.Unlock()
			if tt.closed.w.code != tt.code {
				t.Errorf("closed with %d, want %d", tt.closed.w.code, tt.code)
			}
		})
	}
}

// TestWatchedSession: what happens to one session is logged for a while, with sizes and nothing else.
func TestWatchedSession(t *testing.T) {
	var log logBuffer
	w := newWorld(t, EngineConfig{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	w.add(sdk.Info{Name: "one"}, Route{})
	if w.LogSession(1, time.Minute) {
		t.Error("there is a session 1")
	}
	c, quiet := w.open("one", nil), w.open("one", nil)
	if !w.LogSession(c.id(), time.Hour) {
		t.Fatal("the session is not watched")
	}
	for _, x := range []*caller{c, quiet} {
		x.say("join hush-hush")
		<-x.w.frames
	}
	for _, want := range []string{
		`"what":"event","kind":"frame","bytes":14`, `"what":"command","kind":"join"`, `"what":"command","kind":"send"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, log.String())
		}
	}
	for _, never := range []string{"hush", quiet.id().String()} {
		if strings.Contains(log.String(), never) {
			t.Errorf("%s in\n%s", never, log.String())
		}
	}
	stop := c.Watch(func(string, string, int) {})
	stop()
	before := log.String()
	c.say("join more")
	<-c.w.frames
	if log.String() != before {
		t.Errorf("still watched: %s", strings.TrimPrefix(log.String(), before))
	}
}

// asks is an upstream that says how the question was called.
type asks struct {
	upstream.Pool
	calls chan string
}

func (a asks) Ask(ctx context.Context, req *neutral.Request, emit func(*neutral.Answer)) {
	a.calls <- req.ID
	a.Pool.Ask(ctx, req, emit)
}

// TestPublishAs: what an operator publishes reaches every protocol, and only where messages may go.
func TestPublishAs(t *testing.T) {
	mirrored := make(chan string, 10)
	w := newWorld(t, EngineConfig{Mirrors: []Mirror{{Channels: []channel.Pattern{"news"}, To: func(_ []string, m *hub.Message) {
		mirrored <- m.Type + " " + string(m.Payload)
	}}}})
	w.add(sdk.Info{Name: "one"}, Route{})
	w.add(sdk.Info{Name: "two", Owns: []string{"two/"}, Reserved: []string{"mine/*"}}, Route{})
	a, b := w.open("one", nil), w.open("two", nil)
	for _, c := range []*caller{a, b} {
		c.say("join news")
		c.hears("asked to join")
	}
	b.say("join two/room")
	b.hears("asked to join")
	tests := []struct {
		name, channel, typ string
		want               int
		err                error
		hears              []*caller
	}{
		{"nobody's channel", "empty", "t", 0, nil, nil},
		{"all protocols", "news", "t", 2, nil, []*caller{a, b}},
		{"a type of one", "news", "mine/t", 1, nil, []*caller{a}},
		{"an owned channel", "two/room", "t", 1, nil, []*caller{b}},
		{"the core's own", "$sys", "t", 0, channel.ErrReserved, nil},
		{"no name", "", "t", 0, channel.ErrEmpty, nil},
		{"no channel's name", "a b", "t", 0, channel.ErrSpace, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := w.PublishAs(&admin.PublishRequest{Channel: tt.channel, Type: tt.typ, Payload: []byte(`{"n":1463786910324359168}`)})
			if n != tt.want || !errors.Is(err, tt.err) {
				t.Fatalf("%d, %v, want %d, %v", n, err, tt.want, tt.err)
			}
			for _, c := range tt.hears {
				c.hears("from elsewhere: " + tt.typ)
			}
		})
	}
	if _, err := w.PublishAs(&admin.PublishRequest{Channel: "news"}); err == nil {
		t.Error("a message without a type went out")
	}
	if got := <-mirrored; got != `t {"n":1463786910324359168}` {
		t.Errorf("mirrored %s", got)
	}
}

// TestFollowed: a debug log leads from a session to the call that its back-end saw.
func TestFollowed(t *testing.T) {
	var log logBuffer
	w := newWorld(t, EngineConfig{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	seen := make(chan string, 1)
	w.add(sdk.Info{Name: "one"}, Route{Upstream: asks{upstream.NewDev(), seen}, UpstreamName: "dev.echo"})
	c := w.open("one", nil)
	c.say("ask")
	call := <-seen
	<-c.w.frames
	want := fmt.Sprintf("plugin=one route=one session=%d call=%s upstream=dev.echo outcome=ok", c.ID, call)
	if !strings.Contains(log.String(), want) {
		t.Errorf("no %s in\n%s", want, log.String())
	}
	if !strings.HasPrefix(call, c.id().String()+".") {
		t.Errorf("call %s of session %d", call, c.ID)
	}
}

// scrape returns the values of all metrics, of histograms the counts.
func scrape(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return got
}

// TestMetrics: what an engine counts, and that it has the form that Prometheus wants.
func TestMetrics(t *testing.T) {
	reg := newRegistry("v1")
	upstream.NewMetrics(reg)
	w := newWorld(t, EngineConfig{Metrics: reg})
	w.add(sdk.Info{Name: "one"}, Route{Auth: says(byToken)})
	a, b := w.open("one", nil), w.open("one", nil)
	_, _, err := w.Admit(t.Context(), &session.Info{Route: "one", Headers: []session.Header{{Name: "authorization", Value: "Bearer x"}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a.say("join c")
		<-a.w.frames
	}
	before := scrape(t, reg)
	b.Ended(4321, "", true)
	again := scrape(t, reg)
	for name, want := range map[string]float64{
		"bridge_build_info{version=v1}":                      1,
		"bridge_sessions{plugin=one,route=one}":              2,
		"bridge_sessions_opened_total{plugin=one,route=one}": 2,
		"bridge_frames_total{direction=in,plugin=one}":       3,
		"bridge_frame_bytes_total{direction=in,plugin=one}":  18,
		"bridge_frames_total{direction=out,plugin=one}":      5,
		"bridge_plugin_restarts_total{plugin=one}":           0,
		"bridge_plugin_redelivered_total{plugin=one}":        0,
		"bridge_hub_overflow_total{plugin=one}":              0,
		"bridge_hub_publishes_total{plugin=one}":             0,
		"bridge_auth_total{auth=static.dev,outcome=denied}":  1,
	} {
		if got, ok := before[name]; !ok || got != want {
			t.Errorf("%s is %v, %t, want %v", name, got, ok, want)
		}
	}
	for name, want := range map[string]float64{
		"bridge_sessions{plugin=one,route=one}":               1,
		"bridge_sessions_closed_total{code=other,plugin=one}": 1,
		"bridge_frames_total{direction=in,plugin=one}":        3,
		"bridge_frames_total{direction=out,plugin=one}":       5,
	} {
		if got, ok := again[name]; !ok || got != want {
			t.Errorf("later: %s is %v, %t, want %v", name, got, ok, want)
		}
	}
	if before["bridge_plugin_events_total{plugin=one}"] < 3 || before["bridge_plugin_event_seconds{plugin=one}"] < 1 {
		t.Errorf("events %v", before)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestCodeLabel(t *testing.T) {
	for code, want := range map[int]string{1000: "1000", 1013: "1013", 1005: "1005", 1006: "1006", 4001: "other", 0: "other", 1003: "other"} {
		if got := codeLabel(code); got != want {
			t.Errorf("%d: got %q, want %q", code, got, want)
		}
	}
}
