package sdk_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

type wideConfig struct {
	Greeting string `bridge:"greeting,default=hello" doc:"first line"`
}

type routeConfig struct {
	Token sdk.Expr      `bridge:"token,default=payload.token,vars=payload|request"`
	Wait  time.Duration `bridge:"wait,default=3s"`
}

func (c *routeConfig) Validate() error {
	if c.Wait > time.Minute {
		return &sdk.Complaint{Attribute: "wait", Text: "It must not be longer than a minute."}
	}
	return nil
}

// configured is a plugin with configuration and an opinion on it.
type configured struct {
	*funcs[struct{}]
	cfg   wideConfig
	setup sdk.Setup
}

func (p *configured) Describe() sdk.Info {
	return sdk.Info{
		Name: "configured", Version: "1.2.3", Config: &p.cfg, RouteConfig: new(routeConfig),
		Owns: []string{"own/"}, Reserved: []string{"own/*"}, StateVersion: 3, ReadsState: []uint32{1, 2},
		Roles: []sdk.Role{
			{Doc: "clients"},
			{Name: "api", Auth: sdk.AuthHandshake, Transports: []sdk.Transport{sdk.HTTP, sdk.TCP}},
		},
		Limits: sdk.Limits{StateBytes: 1, WindowEvents: 2, WindowBytes: 3, FrameBytes: 4},
	}
}

func (p *configured) Configure(setup sdk.Setup) error {
	p.setup = setup
	var errs []error
	for _, r := range setup.Routes {
		if r.Upstream == "" {
			errs = append(errs, &sdk.Complaint{Route: r.ID, Text: "The route has no upstream."})
		}
	}
	if p.cfg.Greeting == "nothing" {
		errs = append(errs, errors.New("a greeting is needed"))
	}
	return errors.Join(errs...)
}

func TestDescribe(t *testing.T) {
	s, err := sdk.NewServer(&configured{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Describe(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"configured","version":"1.2.3","contract":1,
		"roles":[{"doc":"clients","auth":"AUTH_IN_BAND"},
			{"name":"api","auth":"AUTH_HANDSHAKE","transports":["TRANSPORT_HTTP","TRANSPORT_TCP"]}],
		"owns":["own/"],"reserved":["own/*"],"stateVersion":3,"readsState":[1,2],"maxStateBytes":1,
		"config":[{"name":"greeting","type":"FIELD_TYPE_STRING","defaultJson":"\"hello\"","doc":"first line"}],
		"routeConfig":[{"name":"token","type":"FIELD_TYPE_EXPRESSION","defaultJson":"\"payload.token\""},
			{"name":"wait","type":"FIELD_TYPE_DURATION","defaultJson":"\"3s\""}],
		"windowEvents":2,"windowBytes":3,"maxFrameBytes":4}`
	if got, want := compact(t, protojson.Format(got)), compact(t, want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStateVersionIsDeclaredWhereThereIsState(t *testing.T) {
	with, err := sdk.NewServer(verbs(stateVerbs()))
	if err != nil {
		t.Fatal(err)
	}
	without, err := sdk.NewServer(&funcs[struct{}]{})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := with.Describe(t.Context(), nil)
	if d.GetStateVersion() != 1 {
		t.Errorf("a plugin with state declares version %d", d.GetStateVersion())
	}
	d, _ = without.Describe(t.Context(), nil)
	if d.GetStateVersion() != 0 {
		t.Errorf("a plugin without state declares version %d", d.GetStateVersion())
	}
}

func TestNewServerRefusesBadTags(t *testing.T) {
	type bad struct {
		Name string `bridge:"Name"`
	}
	_, err := sdk.NewServer(&funcs[struct{}]{info: sdk.Info{Name: "x", Config: new(bad)}})
	if err == nil || !strings.Contains(err.Error(), `field Name: attribute name "Name" is not snake_case`) {
		t.Errorf("got %v", err)
	}
}

func TestConfigure(t *testing.T) {
	tests := []struct {
		name, plugin, route string
		upstream            string
		want                []string // route, attribute, text
	}{
		{"defaults", `{}`, `{}`, "dev", nil},
		{"nothing at all", "", "", "dev", nil},
		{"values", `{"greeting":"hi"}`, `{"token":"request.query.t","wait":"10s"}`, "dev", nil},
		{"all faults of the blocks", `{"greeting":5,"colour":"red"}`, `{"wait":"long"}`, "dev", []string{
			`||colour|There is no such attribute.`,
			`||greeting|It must be a string.`,
			`|r1|wait|It must be a duration, as "3s".`,
		}},
		{"validator", `{}`, `{"wait":"2m"}`, "dev", []string{`|r1|wait|It must not be longer than a minute.`}},
		{"unknown variable", `{}`, `{"token":"user.id"}`, "dev", []string{`|r1|token|`}},
		{"plugin's own", `{"greeting":"nothing"}`, `{}`, "", []string{
			`|r1||The route has no upstream.`, `|||a greeting is needed`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &configured{}
			s, err := sdk.NewServer(p)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.Configure(t.Context(), &pluginv1.ConfigureRequest{
				Config: []byte(tt.plugin), Label: "label", Node: 7,
				Routes: []*pluginv1.RouteConfig{{Id: "r1", Path: "/x", Config: []byte(tt.route), Upstream: tt.upstream}},
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range resp.GetComplaints() {
				got = append(got, "|"+c.GetRoute()+"|"+c.GetAttribute()+"|"+c.GetText())
			}
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if tt.want == nil && (p.setup.Label != "label" || p.setup.Node != 7 || len(p.setup.Routes) != 1) {
				t.Errorf("the plugin was told %+v", p.setup)
			}
		})
	}
}

func TestRouteConfigAndScope(t *testing.T) {
	p := &configured{funcs: &funcs[struct{}]{}}
	p.step = func(s *sdk.Session[struct{}], ev sdk.Event) error {
		f, ok := ev.(sdk.Frame)
		if !ok {
			return nil
		}
		e := sdk.RouteConfig[routeConfig](s).Token
		text, ok, err := e.Text(s.Scope(e, sdk.Scope{"payload": sdk.JSONValue(f.Data)}))
		if err != nil {
			return err
		}
		s.Textf("%s %t %s", text, ok, s.Route().Path)
		return nil
	}
	snapshot := plugintest.Snapshot()
	snapshot.Session.Query = "t=query%20token&x=%zz"
	snapshot.Session.Headers = []*pluginv1.Entry{
		{Key: "cookie", Value: []byte("a=1; t=cookie-token")},
		{Key: "authorization", Value: []byte("Bearer bearer-token")},
	}
	tests := []struct{ expr, want string }{
		{"payload.token", "send 12345678901234567890 true /"},
		{"payload.missing", "send  false /"},
		{"request.query.t", "send query token true /"},
		{"request.cookie.t", "send cookie-token true /"},
		{"request.bearer", "send bearer-token true /"},
		{"request.remote_address", "send 203.0.113.9 true /"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			b := plugintest.NewBench(t, p, plugintest.Config{Route: `{"token":"` + tt.expr + `"}`})
			b.Send(&pluginv1.Event{Kind: &pluginv1.Event_Opened{Opened: &pluginv1.Opened{Snapshot: snapshot}}})
			check(t, b.Send(plugintest.Text(`{"token":12345678901234567890}`)), tt.want)
		})
	}
}

// encoder has a form for messages.
type encoder struct{ *funcs[struct{}] }

func (encoder) Encode(m sdk.Message) (sdk.OutFrame, error) {
	switch m.Type {
	case "unknown":
		return sdk.OutFrame{}, errors.New("no form for it")
	case "ignored":
		return sdk.OutFrame{}, nil
	case "panic":
		panic("as asked")
	}
	return sdk.TextFrame(m.Channel, m.Payload), nil
}

func hub() *pluginv1.Event {
	return &pluginv1.Event{Actor: 9, Kind: &pluginv1.Event_Resumed{Resumed: &pluginv1.Resumed{
		Snapshot: &pluginv1.Snapshot{ActorKind: pluginv1.ActorKind_ACTOR_KIND_HUB},
	}}}
}

func foreign(typ string) *pluginv1.Event {
	return &pluginv1.Event{Actor: 9, Kind: &pluginv1.Event_Message{Message: &pluginv1.Message{
		Channels: []string{"c"}, Content: &pluginv1.Content{Type: typ, Payload: []byte(`{"a":1}`)},
	}}}
}

func TestMessagesAreEncoded(t *testing.T) {
	p := encoder{&funcs[struct{}]{step: func(s *sdk.Session[struct{}], ev sdk.Event) error {
		if f, ok := ev.(sdk.Frame); ok {
			s.Publish(sdk.Message{Type: string(f.Data), Payload: sdk.JSON("1")}, "c")
		}
		return nil
	}}}
	b := plugintest.NewBench(t, p, plugintest.Config{})
	check(t, b.Send(hub(), foreign("t"), foreign("ignored"), foreign("unknown"), foreign("panic"), foreign("t")),
		`encode | c {"a":1}`, "encode", "encode", "encode", `encode | c {"a":1}`)
	check(t, b.Send(plugintest.Opened(), plugintest.Text("t"), plugintest.Text("unknown"))[1:],
		"publish c t 1 | c 1", "close 1011 internal error")
}

func TestMessagesGoToStepWithoutAnEncoder(t *testing.T) {
	p := &funcs[struct{}]{step: func(s *sdk.Session[struct{}], ev sdk.Event) error {
		if m, ok := ev.(sdk.Message); ok {
			s.Encode(sdk.TextFrame(m.Type, m.Payload))
		}
		return nil
	}}
	check(t, plugintest.NewBench(t, p, plugintest.Config{}).Send(hub(), foreign("t")), `encode | t {"a":1}`)
}

func TestAnswer(t *testing.T) {
	var got sdk.Answer
	p := &funcs[struct{}]{step: func(s *sdk.Session[struct{}], ev sdk.Event) error {
		if a, ok := ev.(sdk.Answer); ok {
			got = a
			s.Textf("%s %s", s.Identity().UserID, a.TextOr("nothing"))
		}
		return nil
	}}
	check(t, plugintest.Step(t, p,
		plugintest.Answer(&pluginv1.Answer{
			Tag: "t", Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, HasPayload: true, Payload: []byte("7"),
			Identity: &pluginv1.Identity{Realm: "static.dev", UserId: "38", Claims: []byte("{}")}, Channels: []string{"a"},
			Items: []*pluginv1.Item{{Channels: []string{"c"}, Type: "t", Payload: []byte("1")}}, CallSeq: 5, CallIndex: 1,
		}),
		plugintest.Answer(&pluginv1.Answer{Tag: "t"}),
	), "send 38 7", "send 38 nothing")
	if got.OK() || got.Payload != nil {
		t.Errorf("the second answer is %+v", got)
	}
}
