package ctproto

import (
	"fmt"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestAnswers(t *testing.T) {
	const tag = "0000000001"
	okay := pluginv1.Outcome_OUTCOME_OK
	payload := func(p string) *pluginv1.Answer {
		return &pluginv1.Answer{Last: true, Outcome: okay, HasPayload: true, Payload: []byte(p)}
	}
	items := func(list ...*pluginv1.Item) *pluginv1.Answer { return &pluginv1.Answer{Items: list} }
	tests := []struct {
		name, config string
		answer       *pluginv1.Answer
		want         string
	}{
		{"payload", "", payload(`{"sum":1463786910324359168}`), `send {"messageId":"0000000001","payload":{"sum":1463786910324359168}}`},
		{"empty object", "", payload(`{}`), `send {"messageId":"0000000001","payload":{}}`},
		{"empty array", "", payload(`[]`), `send {"messageId":"0000000001","payload":[]}`},
		{"text", "", payload(`"x"`), `send {"messageId":"0000000001","payload":"x"}`},
		{"nothing", "", done(okay, ""), ""},
		{"null", "", payload("null"), ""},
		{"false", "", payload("false"), ""},
		{"zero", "", payload("-0.0"), ""},
		{"empty text", "", payload(`""`), ""},
		{"not the last", "", &pluginv1.Answer{HasPayload: true, Payload: []byte(`{}`)}, `send {"messageId":"0000000001","payload":{}}`},
		{"denied", "", done(pluginv1.Outcome_OUTCOME_DENIED, "not yours"), errorFrame("not yours")},
		{"forbidden", "", done(pluginv1.Outcome_OUTCOME_DENIED, ""), errorFrame("Forbidden")},
		{"unknown type", "", done(pluginv1.Outcome_OUTCOME_UNKNOWN_TYPE, "secret"), errorFrame("Unknown type")},
		{"error", "", done(pluginv1.Outcome_OUTCOME_ERROR, "stack trace"), errorFrame("Internal error")},
		{"unavailable", "", done(pluginv1.Outcome_OUTCOME_UNAVAILABLE, "connection refused"), errorFrame("Service unavailable")},
		{"silent", `{"errors":"silent"}`, done(pluginv1.Outcome_OUTCOME_ERROR, ""), ""},
		{
			"item for channels", "", items(&pluginv1.Item{Channels: []string{"a", "b"}, Type: "t", Payload: []byte(`{"n":1}`)}),
			`publish a,b t {"n":1} | {"type":"t","payload":{"n":1},"messageId":"<id:10>"}`,
		},
		{
			"item for the session", "", items(&pluginv1.Item{Type: "t", Payload: []byte(`{"n":1}`)}),
			`send {"type":"t","payload":{"n":1},"messageId":"<id>"}`,
		},
		{
			"item for users", "", items(&pluginv1.Item{Users: []string{"38", "39"}, Type: "t", Payload: []byte(`{ "n":1.50,"n":1463786910324359168}`)}),
			`call deliver order=deliver/0 select users=38,39 | {"type":"t","payload":{ "n":1.50,"n":1463786910324359168},"messageId":"<id:10>"}`,
		},
		{
			"item for sessions", "", items(&pluginv1.Item{Clients: []string{"38:7", "39:8"}, Nodes: []string{"38:7:bridge", "40:9:bridge"}, Type: "t", Payload: []byte(`{}`)}),
			act(7) + "\n" + act(8) + "\n" + act(9),
		},
		{
			"item for others", "",
			items(&pluginv1.Item{Clients: []string{"38", "38:", "38:x", "38:0", "38:-1", "38:1:2", "38:9223372036854775808", ""}, Nodes: []string{"server:x", "38:5:uuid"}, Type: "t", Payload: []byte(`{}`)}),
			"",
		},
		{
			"item for everybody", "", items(&pluginv1.Item{Channels: []string{"a"}, Users: []string{"38"}, Clients: []string{"38:7", "39:8"}, Type: "t", Payload: []byte(`{}`)}),
			`publish a except=[8] t {} | {"type":"t","payload":{},"messageId":"<id:10>"}` + "\n" +
				`call deliver order=deliver/0 select users=38 | {"type":"t","payload":{},"messageId":"<id:10>"}` + "\n" + act(8),
		},
		{"item of a reserved type", "", items(&pluginv1.Item{Type: "authorize", Payload: []byte(`{}`)}), ""},
		{"error from afar", "", items(&pluginv1.Item{Channels: []string{"a"}, Type: "error", Payload: []byte(`{}`)}), ""},
		{
			"memberships", "", &pluginv1.Answer{
				HasPayload: true, Payload: []byte(`1`), Join: []string{"a", "b"}, Leave: []string{"c"},
				Items: []*pluginv1.Item{{Channels: []string{"a"}, Type: "t", Payload: []byte(`{}`)}},
			},
			"join a\njoin b\nleave c\n" + `send {"messageId":"0000000001","payload":1}` + "\n" + `publish a t {} | {"type":"t","payload":{},"messageId":"<id:10>"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, authorizedBench(t, tt.config).Send(plugintest.Text(sumFrame), answer(tag, tt.answer)), sumCall, tt.want)
		})
	}
}

func act(session int) string {
	return fmt.Sprintf(`call deliver order=deliver/0 act %d | {"type":"t","payload":{},"messageId":"<id:10>"}`, session)
}

// What became of a delivery is no matter of the client's.
func TestDeliveriesAnswered(t *testing.T) {
	b := authorizedBench(t, "")
	check(t, b.Send(answer("deliver", done(pluginv1.Outcome_OUTCOME_OK, "")), answer("deliver", done(pluginv1.Outcome_OUTCOME_DENIED, "no")), answer("closed", done(pluginv1.Outcome_OUTCOME_ERROR, "no"))),
		"", "", "")
}

func TestNotifyClosed(t *testing.T) {
	const told = `call closed order=messages/8 closed`
	notify := func(t *testing.T, authorize bool) *plugintest.Bench {
		t.Helper()
		b := plugintest.NewBench(t, New(), plugintest.Config{Routes: []*pluginv1.RouteConfig{
			{Id: plugintest.Route, Path: "/", Upstream: "http", Auth: true, Config: []byte(`{"notify_closed":true}`)},
		}})
		b.Send(plugintest.Opened())
		if authorize {
			b.Send(plugintest.Text(authorizeFrame), ok(""))
		}
		return b
	}
	steps := notify(t, true).Send(plugintest.Closed(1000))
	check(t, steps, told)
	if got := steps[0].GetCommands()[0].GetCall().GetAsk(); got.GetPurpose() != "closed" || got.GetPayload() != nil {
		t.Errorf("asked %v", got)
	}
	check(t, notify(t, true).Send(plugintest.Text("oops"), plugintest.Closed(1003)), "close 1003 Invalid JSON", told)
	check(t, notify(t, false).Send(plugintest.Closed(1000)), "")
	check(t, notify(t, false).Send(plugintest.Text(authorizeFrame), plugintest.Closed(1000)), "timer authorize 0\n"+authorizeCall+authorizing, "")
	check(t, authorizedBench(t, "").Send(plugintest.Closed(1000)), "")
}

func TestTwoRequestsWithOneID(t *testing.T) {
	b := authorizedBench(t, "")
	check(t, b.Send(plugintest.Text(sumFrame), plugintest.Text(sumFrame)), sumCall, sumCall)
	one := &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, HasPayload: true, Payload: []byte("1")}
	check(t, b.Send(answer("0000000001", one), answer("0000000001", one)),
		`send {"messageId":"0000000001","payload":1}`, `send {"messageId":"0000000001","payload":1}`)
}
