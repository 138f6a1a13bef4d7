package logux

import (
	"fmt"
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// asking is one request of an asking server, played against the steps of the role backend.
type asking struct {
	t     *testing.T
	bench *plugintest.Bench
	last  *pluginv1.Step
}

// ask sends a request.
func ask(t *testing.T, r post) *asking {
	t.Helper()
	a := &asking{t: t, bench: plugintest.NewBench(t, New(), requestRoutes())}
	a.last = a.bench.Send(r.event(1))[0]
	return a
}

// tag is that of the call number i of the last step.
func (a *asking) tag(i int) string {
	a.t.Helper()
	for _, c := range a.last.GetCommands() {
		if call := c.GetCall(); call != nil {
			if i == 0 {
				return call.GetTag()
			}
			i--
		}
	}
	a.t.Fatalf("there is no such call in\n%s", plugintest.Format(a.last))
	return ""
}

// got is what the last step says to the asking server, and what it asks for, without tags and cells.
func (a *asking) got() string {
	var lines []string
	for _, c := range a.last.GetCommands() {
		line := plugintest.Format(&pluginv1.Step{Commands: []*pluginv1.Command{c}})
		switch {
		case c.GetRespond() != nil:
			r := c.GetRespond()
			line = string(r.GetBody())
			if !r.GetLast() {
				line += " …"
			}
		case c.GetCall() != nil:
			line = strings.TrimPrefix(strings.TrimPrefix(line, "call "+c.GetCall().GetTag()), " order="+c.GetCall().GetOrder()+"/"+fmt.Sprint(c.GetCall().GetParallel()))
			line = strings.TrimSpace(line)
		case c.GetPutState() != nil, c.GetDeleteState() != nil:
			continue
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// want compares it.
func (a *asking) want(want ...string) *asking {
	a.t.Helper()
	if got := a.got(); got != strings.Join(want, "\n") {
		a.t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	return a
}

// answers brings what a call of the given tag is answered with.
func (a *asking) answers(tag string, ans *pluginv1.Answer) *asking {
	a.t.Helper()
	ans.Tag = tag
	a.last = a.bench.Send(plugintest.Answer(ans))[0]
	return a
}

// says brings elements of the back-end's answer, without being the last.
func (a *asking) says(tag string, elements ...string) *asking {
	a.t.Helper()
	return a.answers(tag, &pluginv1.Answer{Raw: []byte(strings.Join(elements, ","))})
}

// ends brings the last elements.
func (a *asking) ends(tag string, elements ...string) *asking {
	a.t.Helper()
	return a.answers(tag, &pluginv1.Answer{Raw: []byte(strings.Join(elements, ",")), Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK})
}

func (a *asking) fails(tag string, outcome pluginv1.Outcome) *asking {
	a.t.Helper()
	return a.answers(tag, &pluginv1.Answer{Last: true, Outcome: outcome})
}

const (
	rename   = `{"type":"user/rename","user":38,"name":"New"}`
	renameID = `1560954012838 38:Y7bysd:O0ETfc 0`
)

// in is a body of some version with the right secret.
func in(version int, commands ...string) string {
	return fmt.Sprintf(`{"version":%d,"secret":"parole","commands":[%s]}`, version, strings.Join(commands, ","))
}

func actionIn1(action, id string) string {
	return fmt.Sprintf(`["action",%s,{"id":%q,"time":1560954012838}]`, action, id)
}

func actionIn4(action, id string) string {
	return fmt.Sprintf(`{"command":"action","action":%s,"meta":{"id":%q,"time":1560954012838},"headers":{}}`, action, id)
}

func TestBackendChecks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		post
		want string
	}{
		{post{body: in4()}, respond(0, "[]")},
		{post{body: `{"version":1,"password":"old","commands":[]}`}, respond(0, "[]")},
		{post{body: in4(), address: "203.0.113.9:1", remote: true}, respond(0, "[]")},
		{post{method: "GET"}, respond(405, "Wrong method")},
		{post{path: "/logux/x", body: in4()}, respond(404, "Wrong path")},
		{post{streamed: true}, respond(413, "Body is larger than 10 MiB")},
		{post{body: `{`}, respond(400, "Wrong body")},
		{post{body: `[]`}, respond(400, "Wrong body")},
		{post{body: `{}`}, respond(400, "Wrong body")},
		{post{body: `null`}, respond(400, "Wrong body")},
		{post{body: `"x"`}, respond(400, "Wrong body")},
		{post{body: `{"version":"4","secret":"x","commands":[]}`}, respond(400, "Wrong body")},
		{post{body: `{"version":1000,"secret":"x","commands":[]}`}, respond(400, "Back-end protocol version is not supported")},
		{post{body: `{"version":4,"secret":"x","commands":[]}`}, respond(403, "Wrong secret")},
		{post{body: in4(strings.TrimSuffix(strings.Repeat("[],", 1001), ","))}, respond(413, "Too many commands")},
	} {
		test.route = "backend"
		if got := posts(t, test.post)[0]; got != test.want {
			t.Errorf("%+v leads to %s, want %s", test.post, got, test.want)
		}
	}
}

// Each version is answered in its form; the back-end is asked with the bytes that came.
func TestBackendForms(t *testing.T) {
	t.Parallel()
	const authID = "gf4Ygi6grYZYDH5Z2BsoR"
	auth4 := `{"command":"auth","authId":"` + authID + `","userId":"38","token":"t","subprotocol":"1.1.0","cookie":{"a":"b"},"headers":{"l":"fr"}}`
	auth1 := `["auth","38","t","` + authID + `"]`
	a := ask(t, post{route: "backend", body: in(1, auth1)}).want("[ …", "ask raw "+auth1)
	a.ends(a.tag(0), `{"answer":"authenticated","authId":"`+authID+`","subprotocol":"1.2.0"}`).want(`["authenticated","` + authID + `"]]`)
	a = ask(t, post{route: "backend", body: in(4, auth4)}).want("[ …", "ask raw "+auth4)
	a.ends(a.tag(0), `["authenticated","`+authID+`"]`).want(`{"answer":"authenticated","authId":"` + authID + `","subprotocol":"1.1.0"}]`)
	a = ask(t, post{route: "backend", body: in(3, auth1)})
	a.ends(a.tag(0), `{"answer":"wrongSubprotocol","authId":"`+authID+`","supported":"^2.0.0"}`).want(`["denied","` + authID + `"]]`)
	a = ask(t, post{route: "backend", body: in(4, auth4)})
	a.ends(a.tag(0), `{"answer":"wrongSubprotocol","authId":"`+authID+`","supported":"^2.0.0"}`).
		want(`{"answer":"wrongSubprotocol","authId":"` + authID + `","supported":"^2.0.0"}]`)
	a = ask(t, post{route: "backend", body: in(4, auth4)})
	a.ends(a.tag(0), `["error","stack"]`).want(`{"answer":"error","authId":"` + authID + `","details":"stack"}]`)
	a = ask(t, post{route: "backend", body: in(2, auth1)})
	a.ends(a.tag(0), `{"answer":"error","id":null,"details":"stack"}`).want(`["error","stack"]]`)
	a = ask(t, post{route: "backend", body: in(3, auth1)})
	a.ends(a.tag(0), `["denied","`+authID+`"]`).want(`["denied","` + authID + `"]]`)
	a = ask(t, post{route: "backend", body: in(4, auth4)})
	a.ends(a.tag(0), `["approved","`+authID+`"]`).want(`{"answer":"error","authId":"` + authID + `","details":"the back-end's answer is none to an authentication"}]`)

	// What old servers and new clients send is made what every back-end reads.
	ask(t, post{route: "backend", body: in(2, `["auth",false,null,"i"]`)}).
		want("[ …", `ask raw {"command":"auth","authId":"i","subprotocol":"0.0.0","cookie":{},"headers":{}}`)
	ask(t, post{route: "backend", body: in(4, `{"command":"auth","authId":"i","subprotocol":3}`)}).
		want("[ …", `ask raw {"command":"auth","authId":"i","subprotocol":"3.0.0","cookie":{},"headers":{}}`)
}

// Answers go on as they come, in the form of the asking server, and a resend before what it is for. Clients
// of this server get the action as well.
func TestBackendAction(t *testing.T) {
	t.Parallel()
	const sync = `publish users/38 except=$client/38:Y7bysd user/rename {"user":38,"name":"New"} `
	a := ask(t, post{route: "backend", body: in(3, actionIn1(rename, renameID))}).want("[ …", "ask raw "+actionIn1(rename, renameID))
	tag := a.tag(0)
	a.says(tag, `{"answer":"resend","id":"`+renameID+`","channels":["users/38"]}`).want()
	a.says(tag, `null`).want()
	a.says(tag, `{"answer":"approved","id":"`+renameID+`"}`)
	if got := a.got(); !strings.HasPrefix(got, sync) ||
		!strings.Contains(got, `{"id":[<1560954012838-base>,"38:Y7bysd:O0ETfc",0],"time":<1560954012838-base>}]`) ||
		!strings.HasSuffix(got, "\n"+`["resend","`+renameID+`",{"channels":["users/38"]}],["approved","`+renameID+`"] …`) {
		t.Errorf("got\n%s", got)
	}
	a.ends(tag, `{"answer":"processed","id":"`+renameID+`","custom_data":null}`).want(`,["processed","` + renameID + `"]]`)

	// All at once, with a back-end of an old form.
	a = ask(t, post{route: "backend", body: in(4, actionIn4(rename, renameID))})
	a.ends(a.tag(0), `["approved","`+renameID+`"]`, `["processed","`+renameID+`"]`, `["processed","`+renameID+`"]`).
		want(`{"answer":"approved","id":"` + renameID + `"},{"answer":"processed","id":"` + renameID + `"}]`)
	// Nothing comes behind the outcome.
	a.says(a.tag0(), `["approved","`+renameID+`"]`).want()
}

// tag0 is any tag of the first command.
func (*asking) tag0() string { return tagOf(tagRaw, 0, []byte(actionIn1(rename, renameID))) }

func TestBackendRefusals(t *testing.T) {
	t.Parallel()
	const subscribe = `{"type":"logux/subscribe","channel":"usrs/38"}`
	one := func(answer string) string { return fmt.Sprintf(`["%s","%s"]`, answer, renameID) }
	for _, test := range []struct {
		action string
		says   []string
		want   string // the answer's name
	}{
		{rename, []string{one("denied")}, "forbidden"}, // as servers know it
		{rename, []string{one("forbidden"), one("processed")}, "forbidden"},
		{rename, []string{`["resend","` + renameID + `",{"channels":["a"]}]`, one("forbidden")}, "forbidden"},
		{rename, []string{one("unknownAction")}, "unknownAction"},
		{rename, []string{one("unknownChannel")}, "unknownAction"},
		{subscribe, []string{one("unknownChannel")}, "unknownChannel"},
		{subscribe, []string{one("unknownAction")}, "unknownChannel"}, // a server would end at it
		{subscribe, []string{`["resend","` + renameID + `",{"channels":["a"]}]`, one("forbidden")}, "forbidden"},
	} {
		a := ask(t, post{route: "backend", body: in(2, actionIn1(test.action, renameID))})
		a.ends(a.tag(0), test.says...).want(one(test.want) + "]")
	}
	details := func(text string) string { return fmt.Sprintf(`["error",%q,%q]]`, renameID, text) }
	for _, test := range []struct {
		says []string
		want string
	}{
		{[]string{`["error","` + renameID + `","PostgreSQLError"]`}, "PostgreSQLError"},
		{[]string{`["error","PostgreSQLError"]`}, "PostgreSQLError"},
		{[]string{one("processed")}, `the back-end answered "processed" before "approved"`},
		{[]string{one("hello")}, "the back-end's answer is none to an action"},
		{[]string{`"approved"`}, "an answer is neither an array nor an object"},
		{[]string{`{"id":"` + renameID + `"}`}, "an answer has no name"},
		{nil, "the back-end's answer ended without what is required"},
	} {
		a := ask(t, post{route: "backend", body: in(3, actionIn1(rename, renameID))})
		if a.ends(a.tag(0), test.says...); a.got() != details(test.want) {
			t.Errorf("%q leads to %s, want %s", test.says, a.got(), details(test.want))
		}
	}
	for outcome, want := range map[pluginv1.Outcome]string{
		pluginv1.Outcome_OUTCOME_UNAVAILABLE: "the back-end cannot be reached, or its answer makes no sense",
		pluginv1.Outcome_OUTCOME_ERROR:       "the back-end's answer ended without what is required",
	} {
		a := ask(t, post{route: "backend", body: in(3, actionIn1(rename, renameID))})
		a.fails(a.tag(0), outcome).want(details(want))
	}
}

// Statement 45: a failure behind approved leaves an error and the end of the list; who got the action here
// gets it undone.
func TestStatement45(t *testing.T) {
	t.Parallel()
	for _, outcome := range []pluginv1.Outcome{pluginv1.Outcome_OUTCOME_UNAVAILABLE, pluginv1.Outcome_OUTCOME_ERROR, pluginv1.Outcome_OUTCOME_OK} {
		a := ask(t, post{route: "backend", body: in(4, actionIn4(rename, renameID))})
		tag := a.tag(0)
		a.says(tag, `["resend","`+renameID+`",{"channels":["users/38"]}]`, `["approved","`+renameID+`"]`)
		lines := strings.Split(a.fails(tag, outcome).got(), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], `publish users/38`) ||
			!strings.Contains(lines[0], `{"action":`+rename+`,"id":"`+renameID+`","reason":"error","type":"logux/undo"}`) ||
			!strings.HasPrefix(lines[1], `,{"answer":"error","id":"`+renameID+`","details":`) || !strings.HasSuffix(lines[1], "}]") {
			t.Errorf("outcome %v leads to\n%s", outcome, strings.Join(lines, "\n"))
		}
	}
}

// The commands of one client are asked in order, those of several in parallel; one that fails is alone in
// that.
func TestBackendSeveral(t *testing.T) {
	t.Parallel()
	other := `1560954012838 21:other:x 0`
	second := `1560954012900 38:Y7bysd:other 1`
	body := in(4, `{"command":"hello","authId":"x"}`, actionIn4(rename, renameID), actionIn4(`{"user":1}`, other), actionIn4(rename, other), actionIn1(rename, second),
		`["action"]`, `{"command":"action","meta":{"id":"`+second+`"}}`, `["hello",{},{}]`)
	a := ask(t, post{route: "backend", body: body})
	const noCommand = "the command is neither an action nor an auth command with an id"
	a.want(
		`[{"answer":"error","authId":"x","details":"`+noCommand+`"},{"answer":"error","id":"`+other+`","details":"the action has no type"},`+
			`{"answer":"error","details":"`+noCommand+`"},{"answer":"error","id":"`+second+`","details":"`+noCommand+`"},{"answer":"error","details":"`+noCommand+`"} …`,
		"ask raw "+actionIn4(rename, renameID), "ask raw "+actionIn4(rename, other), "ask raw "+actionIn1(rename, second),
	)
	var orders []string
	for _, c := range a.last.GetCommands() {
		if call := c.GetCall(); call != nil {
			orders = append(orders, call.GetOrder())
		}
	}
	if len(orders) != 3 || orders[0] == "" || orders[0] != orders[2] || orders[0] == orders[1] {
		t.Errorf("the orders are %q", orders)
	}
	tags := []string{a.tag(0), a.tag(1), a.tag(2)}
	a.ends(tags[1], `["forbidden","`+other+`"]`).want(`,{"answer":"forbidden","id":"` + other + `"} …`)
	a.fails(tags[0], pluginv1.Outcome_OUTCOME_UNAVAILABLE)
	a.ends(tags[2], `["approved","`+second+`"]`, `["processed","`+second+`"]`).
		want(`,{"answer":"approved","id":"` + second + `"},{"answer":"processed","id":"` + second + `"}]`)
}

const (
	subscribe   = `{"type":"logux/subscribe","channel":"38/name"}`
	subscribeID = `1560954012858 38:Y7bysd:O0ETfc 0`
	userName    = `{"type":"user/name","user":38,"name":"The User"}`
)

// TestStatement42: the data of a subscription are POSTed to an asking server of an old version, in that
// version, before processed.
func TestStatement42(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 3; version++ {
		a := ask(t, post{route: "backend", body: in(version, actionIn1(subscribe, subscribeID))})
		tag := a.tag(0)
		a.says(tag, `{"answer":"approved","id":"`+subscribeID+`"}`).want(`["approved","` + subscribeID + `"] …`)
		a.says(tag, `{"answer":"action","id":"`+subscribeID+`","action":`+userName+`,"meta":{"clients":["38:Y7bysd"]}}`)
		push := a.tag(0)
		if got, want := a.got(), fmt.Sprintf(`push %d ["action",%s,{"clients":["38:Y7bysd"]}]`, version, userName); !strings.HasSuffix(got, want) {
			t.Errorf("got\n%s\nwant the end\n%s", got, want)
		}
		// One for nobody in particular is for the author.
		a.says(tag, `{"answer":"action","id":"`+subscribeID+`","action":`+userName+`,"meta":{"time":5}}`)
		if got, want := a.got(), fmt.Sprintf(`push %d ["action",%s,{"time":5,"clients":["38:Y7bysd"]}]`, version, userName); !strings.HasSuffix(got, want) {
			t.Errorf("got\n%s\nwant the end\n%s", got, want)
		}
		a.ends(tag, `{"answer":"processed","id":"`+subscribeID+`"}`).want()
		a.answers(push, &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Raw: []byte(`{"status":200,"body":""}`)}).want()
		a.answers(push, &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK}).want(`,["processed","` + subscribeID + `"]]`)
	}
}

// In version 4 data are answers; a push that is not taken, or that cannot be, is a failure.
func TestBackendData(t *testing.T) {
	t.Parallel()
	a := ask(t, post{route: "backend", body: in(4, actionIn4(subscribe, subscribeID))})
	tag := a.tag(0)
	// What comes before approved is held.
	a.says(tag, `{"answer":"action","id":"`+subscribeID+`","action":`+userName+`,"meta":{"client":"38:Y7bysd"}}`).want()
	a.says(tag, `["action","`+subscribeID+`",{"type":"two"}]`).want()
	a.ends(tag, `{"answer":"approved","id":"`+subscribeID+`"}`, `{"answer":"processed","id":"`+subscribeID+`"}`)
	lines := strings.Split(a.got(), "\n")
	want := `{"answer":"approved","id":"` + subscribeID + `"},` +
		`{"answer":"action","id":"` + subscribeID + `","action":` + userName + `,"meta":{"client":"38:Y7bysd"}},` +
		`{"answer":"action","id":"` + subscribeID + `","action":{"type":"two"},"meta":{"clients":["38:Y7bysd"]}},` +
		`{"answer":"processed","id":"` + subscribeID + `"}]`
	if len(lines) != 3 || lines[2] != want {
		t.Errorf("got\n%s\nwant the end\n%s", a.got(), want)
	}

	a = ask(t, post{route: "backend", body: in(1, actionIn1(subscribe, subscribeID))})
	a.ends(a.tag(0), `["approved","`+subscribeID+`"]`, `{"answer":"action","id":"`+subscribeID+`","action":`+userName+`}`, `["processed","`+subscribeID+`"]`)
	a.fails(a.tag(0), pluginv1.Outcome_OUTCOME_UNAVAILABLE).want(`,["error","what was pushed to the asking server was not taken"]]`)

	a = ask(t, post{route: "strict", body: in(1, actionIn1(subscribe, subscribeID))})
	a.ends(a.tag(0), `["approved","`+subscribeID+`"]`, `{"answer":"action","id":"`+subscribeID+`","action":`+userName+`}`, `["processed","`+subscribeID+`"]`)
	if got, want := a.got(), `["approved","`+subscribeID+`"],["error","there is nowhere to push to: a server of this version is sent actions by its control endpoint alone"]]`; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant the end\n%s", got, want)
	}
}

// Real servers of version 1 do not know resend.
func TestBackendStrict(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]string{1: "", 2: `["resend","` + renameID + `",{"users":["38"]}],`} {
		a := ask(t, post{route: "strict", body: in(version, actionIn1(rename, renameID))})
		a.says(a.tag(0), `["resend","`+renameID+`",{"users":["38"]}]`, `["approved","`+renameID+`"]`)
		if got := a.got(); !strings.HasSuffix(got, "\n"+want+`["approved","`+renameID+`"] …`) {
			t.Errorf("version %d: got\n%s", version, got)
		}
	}
}

// What a back-end may say without end is bounded, and the bound is a failure of the command alone.
func TestBackendHolds(t *testing.T) {
	t.Parallel()
	a := ask(t, post{route: "backend", body: in(4, actionIn4(rename, renameID))})
	tag := a.tag(0)
	long := `["action","` + renameID + `",{"type":"` + strings.Repeat("x", 900<<10) + `"}]`
	a.says(tag, long).want()
	a.says(tag, long).want()
	a.says(tag, long).want(`{"answer":"error","id":"` + renameID + `","details":"the back-end's answers are too large"}]`)
}
