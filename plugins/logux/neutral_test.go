package logux

import (
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Another kind of upstream is asked as any protocol asks it.
func TestBackendNeutral(t *testing.T) {
	t.Parallel()
	const like = `{"type":"like","payload":{"post":7}}`
	likeID := `1560954012838 38:Y7bysd:O0ETfc 0`
	a := ask(t, post{route: "http", body: in(4, actionIn4(like, likeID))}).want("[ …", `ask like {"post":7} user=38`)
	a.answers(a.tag(0), &pluginv1.Answer{
		Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, HasPayload: true, Payload: []byte(`{"reply":1}`), Items: []*pluginv1.Item{
			{Channels: []string{"posts/7"}, Type: "like", Payload: []byte(`{"post":7}`)},
			{Channels: []string{"posts/7"}, Type: "likes", Payload: []byte(`{"count":12345678901234567890}`)},
			{Type: "yours"},
		},
	})
	lines := strings.Split(a.got(), "\n")
	want := `{"answer":"resend","id":"` + likeID + `","channels":["posts/7"]},{"answer":"approved","id":"` + likeID + `"},` +
		`{"answer":"action","id":"` + likeID + `","action":{"type":"likes","payload":{"count":12345678901234567890}},"meta":{"channels":["posts/7"]}},` +
		`{"answer":"action","id":"` + likeID + `","action":{"type":"yours"},"meta":{"clients":["38:Y7bysd"]}},` +
		`{"answer":"action","id":"` + likeID + `","action":{"type":"like","payload":{"reply":1}},"meta":{"clients":["38:Y7bysd"]}},` +
		`{"answer":"processed","id":"` + likeID + `"}]`
	if len(lines) != 5 || lines[4] != want || !strings.HasPrefix(lines[0], `publish posts/7 except=$client/38:Y7bysd like {"post":7} |`) {
		t.Errorf("got\n%s\nwant the end\n%s", a.got(), want)
	}

	for outcome, want := range map[pluginv1.Outcome]string{
		pluginv1.Outcome_OUTCOME_OK:           `["approved","` + likeID + `"],["processed","` + likeID + `"]]`,
		pluginv1.Outcome_OUTCOME_DENIED:       `["forbidden","` + likeID + `"]]`,
		pluginv1.Outcome_OUTCOME_UNKNOWN_TYPE: `["unknownAction","` + likeID + `"]]`,
		pluginv1.Outcome_OUTCOME_ERROR:        `["error","` + likeID + `","the back-end failed"]]`,
		pluginv1.Outcome_OUTCOME_UNAVAILABLE:  `["error","` + likeID + `","the back-end cannot be reached, or its answer makes no sense"]]`,
	} {
		a := ask(t, post{route: "http", body: in(3, actionIn1(`{"type":"a","z":1,"payload":2}`, likeID))}).want("[ …", `ask a {"z":1,"payload":2} user=38`)
		a.fails(a.tag(0), outcome).want(want)
	}

	a = ask(t, post{route: "http", body: in(3, actionIn1(`{"type":"logux/subscribe","channel":"posts/7","since":{"id":"x"}}`, likeID))})
	a.want("[ …", `subscribe posts/7 {"since":{"id":"x"}} user=38`)
	a.fails(a.tag(0), pluginv1.Outcome_OUTCOME_UNKNOWN_TYPE).want(`["unknownChannel","` + likeID + `"]]`)
	ask(t, post{route: "http", body: in(3, actionIn1(`{"type":"logux/subscribe","channel":5}`, likeID))}).want(`[["unknownChannel","` + likeID + `"]]`)
}

// Where the route has an auth backend it is asked who a client of the asking server is.
func TestBackendAuth(t *testing.T) {
	t.Parallel()
	auth := func(version int, command string) *asking {
		return ask(t, post{route: "http", body: in(version, command)})
	}
	command := `{"command":"auth","authId":"i","userId":"38","token":"t","subprotocol":"1.1.0","cookie":{"a":"b"},"headers":{"lang":"fr","n":1}}`
	a := auth(4, command)
	a.want("[ …", "authenticate t user=38 subprotocol=1.1.0 header.lang=fr header.n=1 headers={\"lang\":\"fr\",\"n\":1} on_behalf cookie.a=b")
	a.answers(a.tag(0), &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, OnBehalf: true, Identity: &pluginv1.Identity{UserId: "38"}}).
		want(`{"answer":"authenticated","authId":"i","subprotocol":"1.2.0"}]`) // the route's own
	a = auth(4, command)
	a.answers(a.tag(0), &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Subprotocol: "3.0.0"}).
		want(`{"answer":"authenticated","authId":"i","subprotocol":"3.0.0"}]`)
	for outcome, want := range map[pluginv1.Outcome]string{
		pluginv1.Outcome_OUTCOME_DENIED:      `{"answer":"denied","authId":"i"}]`,
		pluginv1.Outcome_OUTCOME_OTHER:       `{"answer":"wrongSubprotocol","authId":"i","supported":"^2.0.0"}]`,
		pluginv1.Outcome_OUTCOME_ERROR:       `{"answer":"error","authId":"i","details":"the back-end failed"}]`,
		pluginv1.Outcome_OUTCOME_UNAVAILABLE: `{"answer":"error","authId":"i","details":"the back-end cannot be reached, or its answer makes no sense"}]`,
	} {
		a := auth(4, command)
		a.answers(a.tag(0), &pluginv1.Answer{Last: true, Outcome: outcome, Supported: "^2.0.0"}).want(want)
	}

	for token, want := range map[string]string{`null`: "authenticate -", `"t"`: "authenticate t", `""`: "authenticate ", `{"any":1}`: `authenticate {"any":1}`} {
		auth(1, `["auth",false,`+token+`,"i"]`).want("[ …", want+" on_behalf")
	}
}
