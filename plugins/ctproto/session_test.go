package ctproto

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestMain(m *testing.M) {
	plugintest.Main(m, func() int { return sdk.Run(New()) })
}

func TestTranscripts(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	plugintest.Run(t, New, "testdata/transcripts/*.txt", bothRoles())
}

const (
	authorizeFrame = `{"messageId":"authorize1","type":"authorize","payload":{"token":"good"}}`
	authorizeCall  = `call authorize:authorize1 authenticate good {"token":"good"}`
	sumFrame       = `{"messageId":"0000000001","type":"sum","payload":{"a":1}}`
	sumCall        = `call 0000000001 order=messages/8 ask sum {"a":1}`
)

// In steps the state cell is written as its bytes: 1 is authorizing, 2 authorized.
const (
	authorizing = "\nput $=\x01"
	authorized  = "\nput $=\x02"
)

// bench opens a session of a route with that configuration.
func bench(t *testing.T, config string) *plugintest.Bench {
	t.Helper()
	b := plugintest.NewBench(t, New(), plugintest.Config{Route: config})
	b.Send(plugintest.Opened())
	return b
}

// authorizedBench also authorizes it.
func authorizedBench(t *testing.T, config string) *plugintest.Bench {
	t.Helper()
	b := bench(t, config)
	b.Send(plugintest.Text(authorizeFrame), ok(`{"userId":"38"}`))
	return b
}

func answer(tag string, a *pluginv1.Answer) *pluginv1.Event {
	a.Tag = tag
	return plugintest.Answer(a)
}

// ok is the auth backend's approval.
func ok(claims string, channels ...string) *pluginv1.Event {
	return answer("authorize:authorize1", &pluginv1.Answer{
		Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Channels: channels,
		Identity: &pluginv1.Identity{Realm: "static.dev", UserId: "38", Claims: []byte(claims)},
	})
}

func done(outcome pluginv1.Outcome, reason string) *pluginv1.Answer {
	return &pluginv1.Answer{Last: true, Outcome: outcome, Reason: reason}
}

var anyID = regexp.MustCompile(`"messageId":"[A-Za-z0-9_-]{10}"\}`)

// check compares the forms of steps; ids at the end of a frame, which are fresh, are written <id>.
func check(t *testing.T, steps []*pluginv1.Step, want ...string) {
	t.Helper()
	if len(steps) != len(want) {
		t.Errorf("%d steps, want %d", len(steps), len(want))
	}
	for i := range min(len(steps), len(want)) {
		got := anyID.ReplaceAllString(plugintest.Format(steps[i]), `"messageId":"<id>"}`)
		if got != want[i] {
			t.Errorf("step %d\ngot  %q\nwant %q", i, got, want[i])
		}
	}
}

func errorFrame(text string) string {
	return fmt.Sprintf(`send {"type":"error","payload":{"error":"%s"},"messageId":"<id>"}`, text)
}

func TestClock(t *testing.T) {
	b := plugintest.NewBench(t, New(), plugintest.Config{})
	check(t, b.Send(plugintest.Opened()), "timer authorize 3000")
	check(t, b.Send(plugintest.Text(`{"a":1}`)), errorFrame("Message Format Error: 'messageId' field missed"))
	check(t, b.Send(plugintest.Timer("authorize")), "close 1013 Authorization required")

	b = plugintest.NewBench(t, New(), plugintest.Config{Route: `{"authorize_timeout":"500ms"}`})
	check(t, b.Send(plugintest.Opened()), "timer authorize 500")
}

func TestAuthorize(t *testing.T) {
	tests := []struct {
		name, config, frame string
		want                string
	}{
		{"token", `{}`, `{"token":"good","n":1463786910324359168}`, `good {"token":"good","n":1463786910324359168}`},
		{"number", `{}`, `{"token":1463786910324359168}`, `1463786910324359168 {"token":1463786910324359168}`},
		{"no token", `{}`, `{}`, `- {}`},
		{"null token", `{}`, `{"token":null}`, `- {"token":null}`},
		{"null payload", `{}`, `null`, `- null`},
		{"array", `{}`, `[]`, `- []`},
		{"another expression", `{"token":"payload.auth.key"}`, `{"auth":{"key":"k"}}`, `k {"auth":{"key":"k"}}`},
		{"from the request", `{"token":"request.host"}`, `{}`, `bridge.example {}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame := plugintest.Textf(`{"messageId":"authorize1","type":"authorize","payload":%s}`, tt.frame)
			check(t, bench(t, tt.config).Send(frame),
				"timer authorize 0\ncall authorize:authorize1 authenticate "+tt.want+authorizing)
		})
	}
}

func TestTokenThatIsNoText(t *testing.T) {
	for _, token := range []string{`{"a":1}`, `{}`, `[]`, `["good"]`} {
		frame := plugintest.Textf(`{"messageId":"authorize1","type":"authorize","payload":{"token":%s}}`, token)
		check(t, bench(t, `{}`).Send(frame, plugintest.Text(sumFrame)),
			"close 1008 Authorization failed: Wrong auth payload", "")
	}
}

func TestUserID(t *testing.T) {
	tests := []struct{ name, config, payload, want string }{
		{"none asked for", `{}`, `{"userId":"38"}`, ""},
		{"text", `{"user_id":"payload.userId"}`, `{"userId":"38"}`, "38"},
		{"number", `{"user_id":"payload.userId"}`, `{"userId":1463786910324359168}`, "1463786910324359168"},
		{"absent", `{"user_id":"payload.userId"}`, `{}`, ""},
		{"null", `{"user_id":"payload.userId"}`, `{"userId":null}`, ""},
		{"null payload", `{"user_id":"payload.userId"}`, `null`, ""},
		{"list", `{"user_id":"payload.userId"}`, `{"userId":["38"]}`, "refused"},
		{"object", `{"user_id":"payload.userId"}`, `{"userId":{}}`, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			step := bench(t, tt.config).Send(plugintest.Textf(`{"messageId":"authorize1","type":"authorize","payload":%s}`, tt.payload))[0]
			if tt.want == "refused" {
				check(t, []*pluginv1.Step{step}, "close 1008 Authorization failed: Wrong auth payload")
				return
			}
			if got := step.GetCommands()[1].GetCall().GetAuthenticate().GetUserId(); got != tt.want {
				t.Errorf("asked for %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLongToken(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	payload := `{"token":"` + long + `"}`
	check(t, bench(t, `{}`).Send(plugintest.Textf(`{"messageId":"authorize1","type":"authorize","payload":%s}`, payload)),
		"timer authorize 0\ncall authorize:authorize1 authenticate "+long+" "+payload+authorizing)
}

func TestAuthorizationAnswers(t *testing.T) {
	const tag = "authorize:authorize1"
	tests := []struct {
		name   string
		answer *pluginv1.Event
		want   string
	}{
		{"claims", ok(`{"userId":"38","n":1463786910324359168}`), `send {"messageId":"authorize1","payload":{"userId":"38","n":1463786910324359168}}` + authorized},
		{"no claims", ok(""), `send {"messageId":"authorize1","payload":{"userId":"38"}}` + authorized},
		{"channels", ok("{}", "user/38", "news"), "join user/38\njoin news\n" + `send {"messageId":"authorize1","payload":{}}` + authorized},
		{"no identity", answer(tag, done(pluginv1.Outcome_OUTCOME_OK, "")), `send {"messageId":"authorize1","payload":{}}` + authorized},
		{"denied", answer(tag, done(pluginv1.Outcome_OUTCOME_DENIED, "Wrong auth payload")), "close 1008 Authorization failed: Wrong auth payload"},
		{"denied without a reason", answer(tag, done(pluginv1.Outcome_OUTCOME_DENIED, "")), "close 1008 Authorization failed: denied"},
		{"other", answer(tag, done(pluginv1.Outcome_OUTCOME_OTHER, "wrongSubprotocol")), "close 1008 Authorization failed: wrongSubprotocol"},
		{"unavailable", answer(tag, done(pluginv1.Outcome_OUTCOME_UNAVAILABLE, "secret detail")), "close 1008 Authorization failed: service unavailable"},
		{"error", answer(tag, done(pluginv1.Outcome_OUTCOME_ERROR, "secret detail")), "close 1008 Authorization failed: service unavailable"},
		{"not the last", answer(tag, &pluginv1.Answer{}), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := bench(t, `{}`)
			check(t, b.Send(plugintest.Text(authorizeFrame), tt.answer), "timer authorize 0\n"+authorizeCall+authorizing, tt.want)
		})
	}
}

func TestFirstMessage(t *testing.T) {
	check(t, bench(t, `{}`).Send(plugintest.Text(sumFrame)), "close 1008 Unauthorized")
	check(t, bench(t, `{}`).Send(plugintest.Text(`{"messageId":"123"}`)), errorFrame("Message Format Error: 'type' field missed"))
	check(t, bench(t, `{"strict_payload":true}`).Send(plugintest.Text(`{"messageId":"authorize1","type":"authorize","payload":null}`)),
		errorFrame("Message Format Error: 'payload' should be an object"))
}

func TestFramesThatClose(t *testing.T) {
	states := map[string]func(*testing.T) *plugintest.Bench{
		"new": func(t *testing.T) *plugintest.Bench { t.Helper(); return bench(t, `{}`) },
		"authorizing": func(t *testing.T) *plugintest.Bench {
			t.Helper()
			b := bench(t, `{}`)
			b.Send(plugintest.Text(authorizeFrame))
			return b
		},
		"authorized": func(t *testing.T) *plugintest.Bench { t.Helper(); return authorizedBench(t, `{}`) },
	}
	for name, open := range states {
		t.Run(name, func(t *testing.T) {
			check(t, open(t).Send(plugintest.Binary(authorizeFrame)), "close 1003 Unsupported data")
			check(t, open(t).Send(plugintest.Text("oops")), "close 1003 Invalid JSON")
			check(t, open(t).Send(plugintest.Text("")), "close 1003 Invalid JSON")
			check(t, open(t).Send(plugintest.Text("null")), errorFrame("Message Format Error: 'messageId' field missed"))
		})
	}
}

func TestSecondAuthorize(t *testing.T) {
	b := bench(t, `{}`)
	check(t, b.Send(plugintest.Text(authorizeFrame), plugintest.Text(authorizeFrame), ok("{}"), plugintest.Text(authorizeFrame)),
		"timer authorize 0\n"+authorizeCall+authorizing, "", `send {"messageId":"authorize1","payload":{}}`+authorized, "")
}

func TestHeldMessages(t *testing.T) {
	b := bench(t, `{}`)
	second := strings.Replace(sumFrame, "0000000001", "0000000002", 1)
	check(t, b.Send(plugintest.Text(authorizeFrame), plugintest.Text(sumFrame), plugintest.Text(`{}`), plugintest.Text(second), ok("{}"), plugintest.Text(sumFrame)),
		"timer authorize 0\n"+authorizeCall+authorizing,
		"put held0="+sumFrame+"\nput $=\x01\x01\x39",
		errorFrame("Message Format Error: 'messageId' field missed"),
		"put held1="+second+"\nput $=\x01\x02\x72",
		`send {"messageId":"authorize1","payload":{}}`+"\n"+sumCall+"\ndelete held0\n"+
			strings.Replace(sumCall, "0000000001", "0000000002", 1)+"\ndelete held1"+authorized,
		sumCall)
}

func TestHeldMessagesSurviveThePlugin(t *testing.T) {
	b := plugintest.NewBench(t, New(), plugintest.Config{})
	check(t, b.Send(plugintest.Resumed(map[string]string{"$": "\x01\x01\x39", "held0": sumFrame}), ok("{}")),
		`send {"messageId":"authorize1","payload":{}}`+"\n"+sumCall+"\ndelete held0"+authorized)
}

func TestHeldMessagesAreBounded(t *testing.T) {
	b := bench(t, `{}`)
	b.Send(plugintest.Text(authorizeFrame))
	for range maxHeld {
		if got := plugintest.Format(b.Send(plugintest.Text(sumFrame))[0]); !strings.HasPrefix(got, "put held") {
			t.Fatalf("got %s", got)
		}
	}
	check(t, b.Send(plugintest.Text(sumFrame)), "close 1008 Unauthorized")

	b = bench(t, `{}`)
	b.Send(plugintest.Text(authorizeFrame))
	large := fmt.Sprintf(`{"messageId":"0000000001","type":"t","payload":{"a":"%s"}}`, strings.Repeat("x", maxHeldBytes))
	check(t, b.Send(plugintest.Text(large)), "close 1008 Unauthorized")
}

func TestStrictPending(t *testing.T) {
	b := bench(t, `{"strict_pending":true}`)
	b.Send(plugintest.Text(authorizeFrame))
	check(t, b.Send(plugintest.Text(authorizeFrame), plugintest.Text(sumFrame)), "", "close 1008 Unauthorized")
}

func TestRefusalDropsHeldMessages(t *testing.T) {
	b := bench(t, `{}`)
	b.Send(plugintest.Text(authorizeFrame), plugintest.Text(sumFrame))
	check(t, b.Send(answer("authorize:authorize1", done(pluginv1.Outcome_OUTCOME_DENIED, "no")), plugintest.Text(sumFrame), plugintest.Closed(1008)),
		"close 1008 Authorization failed: no", "", "")
}

func TestMessagesOfOtherProtocols(t *testing.T) {
	b := plugintest.NewBench(t, New(), plugintest.Config{})
	hub := &pluginv1.Event{Kind: &pluginv1.Event_Resumed{Resumed: &pluginv1.Resumed{Snapshot: &pluginv1.Snapshot{ActorKind: pluginv1.ActorKind_ACTOR_KIND_HUB}}}}
	message := &pluginv1.Event{Kind: &pluginv1.Event_Message{Message: &pluginv1.Message{
		Channels: []string{"a"}, Content: &pluginv1.Content{Type: `"quoted"`, Payload: []byte(`{"n":1463786910324359168}`)},
	}}}
	check(t, b.Send(hub, message), `encode | {"type":"\"quoted\"","payload":{"n":1463786910324359168},"messageId":"<id:10>"}`)
}

func TestStateRoundTrip(t *testing.T) {
	for _, s := range []State{{}, {Phase: phaseAuthorized}, {phaseAuthorizing, 16, 65536}} {
		b, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got State
		if err := got.UnmarshalBinary(b); err != nil || got != s {
			t.Errorf("%+v became %+v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "\x01\x01", "\x01\x01\xff"} {
		if new(State).UnmarshalBinary([]byte(bad)) == nil {
			t.Errorf("%q is taken for a state", bad)
		}
	}
}

func FuzzStep(f *testing.F) {
	plugintest.FuzzStep(f, New, plugintest.Config{}, authorizeFrame, sumFrame, `{}`, `null`, `oops`, "")
}
