package ctproto

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// apiRequest is a request of somebody with all roles, changed by its fields.
type apiRequest struct {
	method, path string // POST, /api/updates
	contentType  string // application/json; "-": none
	claims       string // of the identity; "-": no identity
	body         string
	streamed     bool
}

func or(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

func (r apiRequest) event() *pluginv1.Event {
	s := plugintest.Snapshot()
	s.Route = "api"
	s.Session.Method, s.Session.Path = or(r.method, "POST"), or(r.path, "/api/updates")
	s.Session.Transport = pluginv1.Transport_TRANSPORT_HTTP
	if r.contentType != "-" {
		s.Session.Headers = []*pluginv1.Entry{{Key: "content-type", Value: []byte(or(r.contentType, "application/json"))}}
	}
	if r.claims != "-" {
		s.Identity = &pluginv1.Identity{Realm: "basic.ops", UserId: "ops", Claims: []byte(or(r.claims, `{"roles":["read","write"]}`))}
	}
	return &pluginv1.Event{Kind: &pluginv1.Event_Request{Request: &pluginv1.Request{Snapshot: s, Body: []byte(r.body), Streamed: r.streamed}}}
}

// step is what the plugin does with the request.
func (r apiRequest) step(t *testing.T) *pluginv1.Step {
	t.Helper()
	return plugintest.NewBench(t, New(), bothRoles()).Send(r.event())[0]
}

// okUpdate is a body that nothing is wrong with.
const okUpdate = `{"type":"t","payload":{}}`

// okStep is what it leads to.
const okStep = `call updates select authenticated | {"type":"t","payload":{},"messageId":"<id:10>"}`

func TestAPI(t *testing.T) {
	tests := []struct {
		name string
		apiRequest
		want string // a call, or the status and a part of the error
	}{
		{"update", apiRequest{body: okUpdate}, okStep},
		{"content type with parameters", apiRequest{body: okUpdate, contentType: "Application/JSON; charset=utf-8"}, okStep},
		{"nobody in particular", apiRequest{body: okUpdate, claims: "-"}, okStep},
		{"one role", apiRequest{body: okUpdate, claims: `{"roles":["write"],"channels":null}`}, okStep},
		{"another path of the route", apiRequest{body: okUpdate, path: "/other/updates"}, okStep},
		{"close", apiRequest{path: "/api/close", body: `{}`}, `call close select authenticated close 1000`},

		{"nothing there", apiRequest{path: "/api/", body: okUpdate}, "404 nothing here"},
		{"another name", apiRequest{path: "/api/update", body: okUpdate}, "404 nothing here"},
		{"below", apiRequest{path: "/api/updates/", body: okUpdate}, "404 nothing here"},
		{"beside", apiRequest{path: "/api/x/updates", body: okUpdate}, "404 nothing here"},
		{"case", apiRequest{path: "/api/Updates", body: okUpdate}, "404 nothing here"},
		{"get", apiRequest{method: "GET"}, "405 not POST"},
		{"options", apiRequest{method: "OPTIONS"}, "405 not POST"},
		{"put", apiRequest{method: "PUT", path: "/api/close", body: `{}`}, "405 not POST"},
		{"reader", apiRequest{body: okUpdate, claims: `{"roles":["read"]}`}, `403 no role \"write\"`},
		{"no claims", apiRequest{body: okUpdate, claims: `null`}, "403 no role"},
		{"no roles", apiRequest{body: okUpdate, claims: `{}`}, "403 no role"},
		{"roles are no list", apiRequest{body: okUpdate, claims: `{"roles":"write"}`}, "403 no role"},
		{"role in a list", apiRequest{body: okUpdate, claims: `{"roles":[["write"]]}`}, "403 no role"},
		{"last roles count", apiRequest{body: okUpdate, claims: `{"roles":["write"],"roles":[]}`}, "403 no role"},
		{"another case", apiRequest{body: okUpdate, claims: `{"Roles":["write"],"roles":["WRITE"]}`}, "403 no role"},
		{"streamed", apiRequest{streamed: true}, "413 larger than 1 MiB"},
		{"too large", apiRequest{body: `{"type":"t","payload":{"x":"` + strings.Repeat("x", maxBody) + `"}}`}, "413 larger than 1 MiB"},
		{"form", apiRequest{body: "type=t", contentType: "application/x-www-form-urlencoded"}, "415 application/json"},
		{"text", apiRequest{body: okUpdate, contentType: "text/plain;charset=UTF-8"}, "415 application/json"},
		{"no type", apiRequest{body: okUpdate, contentType: "-"}, "415 application/json"},
		{"bad type", apiRequest{body: okUpdate, contentType: "application/json;;"}, "415 application/json"},
		{"almost", apiRequest{body: okUpdate, contentType: "application/jsonx"}, "415 application/json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkAPI(t, tt.step(t), tt.want) })
	}
}

// checkAPI compares a step with a call, or with a status and a part of the error.
func checkAPI(t *testing.T, step *pluginv1.Step, want string) {
	t.Helper()
	got := plugintest.Format(step)
	if strings.HasPrefix(want, "call") {
		if got != want {
			t.Errorf("\ngot  %s\nwant %s", got, want)
		}
		return
	}
	status, text, _ := strings.Cut(want, " ")
	if !strings.HasPrefix(got, "respond "+status+` last=true {"error":"`) || !strings.Contains(got, text) || !strings.HasSuffix(got, `"}`) {
		t.Errorf("\ngot  %s\nwant %s … %s", got, status, text)
	}
	respond := step.GetCommands()[0].GetRespond()
	headers := make(map[string]string)
	for _, h := range respond.GetHeaders() {
		headers[h.GetKey()] = string(h.GetValue())
	}
	if headers["content-type"] != "application/json" || (headers["allow"] == "POST") != (respond.GetStatus() == 405) {
		t.Errorf("headers %v", headers)
	}
}

func TestUpdateBodies(t *testing.T) {
	const frame = ` | {"type":"t","payload":{},"messageId":"<id:10>"}`
	// with is a body with that select.
	with := func(selection string) string { return `{"select":` + selection + `,"type":"t","payload":{}}` }
	all := func(n int, inner string) string {
		return strings.Repeat(`{"all":[`, n) + inner + strings.Repeat(`]}`, n)
	}
	tests := []struct{ name, body, want string }{
		{"byte for byte", `{"payload":{ "z":1463786910324359168 ,"a":1.50,"a":"\u00e9\/"},"type":"\"t\"","select":{}}`, `call updates select authenticated | {"type":"\"t\"","payload":{ "z":1463786910324359168 ,"a":1.50,"a":"\u00e9\/"},"messageId":"<id:10>"}`},
		{"space", "\n {\t\"type\" : \"t\" , \"payload\" : {} }\r\n", okStep},
		{"last duplicate", `{"type":"authorize","payload":1,"type":"t","payload":{}}`, okStep},
		{"escaped names", `{"typ\u0065":"t","p\u0061yload":{}}`, okStep},
		{"empty select", with(`{}`), okStep},
		{"channel", with(`{"channel":"a/b"}`), `call updates select channel=a/b authenticated` + frame},
		{"channel outside", `{"channel":"a/b","type":"t","payload":{}}`, `call updates select channel=a/b authenticated` + frame},
		{"channel and condition", `{"channel":"c","select":{"path":"/a","exists":true},"type":"t","payload":{}}`, `call updates select channel=c authenticated where=/a exists true` + frame},
		{"equals", with(`{"path":"/a~1b/0","equals":1463786910324359168}`), `call updates select authenticated where=/a~1b/0 equals 1463786910324359168` + frame},
		{"equals null", with(`{"path":"","equals":null}`), `call updates select authenticated where= equals null` + frame},
		{"contains", with(`{"path":"/workspaceIds","contains":"123"}`), `call updates select authenticated where=/workspaceIds contains "123"` + frame},
		{"in", with(`{"path":"/a","in":[1,"x",{"k":[]}]}`), `call updates select authenticated where=/a in [1 "x" {"k":[]}]` + frame},
		{"exists", with(`{"path":"/a","exists":false}`), `call updates select authenticated where=/a exists false` + frame},
		{"all, any and not", with(`{"all":[{"path":"/a","equals":1},{}],"any":[{"not":{"path":"/b","exists":true}}],"not":{"any":[{"path":"/c","equals":2}]},"path":"/d","in":[3]}`), `call updates select authenticated where=all(/a equals 1) all() any(not(/b exists true)) not(any(/c equals 2)) /d in [3]` + frame},
		{"deepest", with(all(15, `{"path":"/a","equals":1}`)), `call updates select authenticated where=` + strings.Repeat("all(", 15) + "/a equals 1" + strings.Repeat(")", 15) + frame},

		{"nothing", ``, `400 "\"body\" is not JSON."`},
		{"no JSON", `{"type":"t","payload":{}`, "400 is not JSON"},
		{"two values", okUpdate + okUpdate, "400 is not JSON"},
		{"too deep", `{"type":"t","payload":{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}}`, "400 is not JSON"},
		{"not UTF-8", "{\"type\":\"t\",\"payload\":{\"a\":\"\xff\"}}", "400 is not UTF-8"},
		{"list", `[]`, `400 \"body\" is not an object`},
		{"null", `null`, `400 \"body\" is not an object`},
		{"text", `"{}"`, `400 \"body\" is not an object`},
		{"misspelt select", `{"slect":{"path":"/a","equals":1},"type":"t","payload":{}}`, `400 \"slect\" is unknown; want select, channel, type, payload`},
		{"another case", `{"Type":"t","payload":{}}`, `400 \"Type\" is unknown`},
		{"long name", `{"` + strings.Repeat("é", 100) + `":1}`, `400 é\" is unknown`},
		{"no type", `{"payload":{}}`, `400 \"type\" is missing`},
		{"empty type", `{"type":"","payload":{}}`, `400 \"type\" is missing`},
		{"type null", `{"type":null,"payload":{}}`, `400 \"type\" is not a string`},
		{"type number", `{"type":1,"payload":{}}`, `400 \"type\" is not a string`},
		{"authorize", `{"type":"authorize","payload":{}}`, `400 \"type\" is reserved`},
		{"authorize escaped", `{"type":"\u0061uthorize","payload":{}}`, `400 \"type\" is reserved`},
		{"error", `{"type":"error","payload":{}}`, `400 \"type\" is reserved`},
		{"no payload", `{"type":"t"}`, `400 \"payload\" is missing`},
		{"payload null", `{"type":"t","payload":null}`, `400 \"payload\" is not an object`},
		{"payload list", `{"type":"t","payload":[]}`, `400 \"payload\" is not an object`},
		{"payload text", `{"type":"t","payload":"{}"}`, `400 \"payload\" is not an object`},

		{"select null", with(`null`), `400 \"select\" is not an object`},
		{"select list", with(`[]`), `400 \"select\" is not an object`},
		{"select text", with(`"all"`), `400 \"select\" is not an object`},
		{"unknown operator", with(`{"path":"/a","equal":1}`), `400 \"select.equal\" is unknown`},
		{"no operator", with(`{"path":"/a"}`), `400 \"select.path\" needs one of equals, contains, in and exists`},
		{"two operators", with(`{"path":"/a","equals":1,"in":[1]}`), `400 \"select.path\" needs one of`},
		{"no path", with(`{"equals":1}`), `400 \"select.path\" is missing`},
		{"path number", with(`{"path":1,"equals":1}`), `400 \"select.path\" is not a string`},
		{"path without slash", with(`{"path":"a","equals":1}`), `400 \"select\" is refused: path \"a\"`},
		{"path with a tilde", with(`{"path":"/~","equals":1}`), `400 \"select\" is refused`},
		{"in no list", with(`{"path":"/a","in":1}`), `400 \"select.in\" is not a list`},
		{"in nothing", with(`{"path":"/a","in":[]}`), `400 \"select.in\" is empty`},
		{"exists text", with(`{"path":"/a","exists":"true"}`), `400 \"select.exists\" is neither true nor false`},
		{"exists null", with(`{"path":"/a","exists":null}`), `400 \"select.exists\" is neither`},
		{"all of nothing", with(`{"all":[]}`), `400 \"select.all\" is empty`},
		{"any of nothing", with(`{"any":[]}`), `400 \"select.any\" is empty`},
		{"all no list", with(`{"all":{}}`), `400 \"select.all\" is not a list`},
		{"not no object", with(`{"not":[]}`), `400 \"select.not\" is not an object`},
		{"no object in a list", with(`{"any":[{},1]}`), `400 \"select.any[1]\" is not an object`},
		{"deep inside", with(`{"all":[{},{"not":{"path":"/a","exists":0}}]}`), `400 \"select.all[1].not.exists\" is neither`},
		{"channel inside", with(`{"any":[{"channel":"a"}]}`), `400 \"select.any[0].channel\" is unknown`},
		{"channel twice", `{"channel":"a","select":{"channel":"a"},"type":"t","payload":{}}`, `400 \"channel\" is there twice`},
		{"channel number", with(`{"channel":1}`), `400 \"select.channel\" is not a string`},
		{"channel null", `{"channel":null,"type":"t","payload":{}}`, `400 \"channel\" is not a string`},
		{"channel empty", `{"channel":"","type":"t","payload":{}}`, `400 \"channel\" cannot name one`},
		{"channel with space", with(`{"channel":"a b"}`), `400 \"channel\" cannot name one`},
		{"channel of the core", with(`{"channel":"$a"}`), `400 \"channel\" cannot name one`},
		{"conditions too deep", with(all(16, `{"path":"/a","equals":1}`)), `400 more than 16 deep`},
		{"much too deep", with(all(200, `{}`)), `400 more than 16 deep`},
		{"too many conditions", with(`{"any":[` + strings.Repeat(`{},`, 1000) + `{}]}`), `400 more than 1000 conditions`},
		{"too large", with(`{"path":"/a","equals":"` + strings.Repeat("x", 70000) + `"}`), `400 more than 65536 bytes`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkAPI(t, apiRequest{body: tt.body}.step(t), tt.want) })
	}
}

func TestCloseBodies(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"everybody", `{}`, "call close select authenticated close 1000"},
		{"code and reason", `{"code":4001,"reason":"moved"}`, "call close select authenticated close 4001 moved"},
		{"first code", `{"code":3000}`, "call close select authenticated close 3000"},
		{"last code", `{"code":4999,"reason":""}`, "call close select authenticated close 4999"},
		{"selected", `{"select":{"path":"/a","equals":1},"channel":"c"}`, "call close select channel=c authenticated where=/a equals 1 close 1000"},
		{"longest reason", `{"reason":"` + strings.Repeat("é", 61) + `x"}`, "call close select authenticated close 1000 " + strings.Repeat("é", 61) + "x"},
		{"escaped reason", `{"reason":"\u00e9\n"}`, "call close select authenticated close 1000 é"},

		{"reason too long", `{"reason":"` + strings.Repeat("é", 62) + `"}`, `400 \"reason\" has more than 123 bytes`},
		{"reason number", `{"reason":1}`, `400 \"reason\" is not a string`},
		{"code of the protocol", `{"code":1008}`, `400 \"code\" is neither 1000 nor one of 3000 to 4999`},
		{"code never sent", `{"code":1006}`, `400 \"code\"`},
		{"code too small", `{"code":2999}`, `400 \"code\"`},
		{"code too large", `{"code":5000}`, `400 \"code\"`},
		{"code null", `{"code":null}`, `400 \"code\"`},
		{"code text", `{"code":"1000"}`, `400 \"code\"`},
		{"code fraction", `{"code":1000.5}`, `400 \"code\"`},
		{"code huge", `{"code":99999999999999999999}`, `400 \"code\"`},
		{"bad select", `{"select":1}`, `400 \"select\" is not an object`},
		{"update", okUpdate, `400 \"type\" is unknown; want select, channel, code, reason`},
		{"no JSON", `code=1000`, `400 is not JSON`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkAPI(t, apiRequest{path: "/api/close", body: tt.body}.step(t), tt.want)
		})
	}
}

func TestAPIAnswers(t *testing.T) {
	tests := []struct {
		name, path, body string
		answer           *pluginv1.Answer
		want             string
	}{
		{"updated", "/api/updates", okUpdate, &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Count: 3}, `respond 200 last=true {"matched":3,"sent":3}`},
		{"nobody", "/api/updates", okUpdate, done(pluginv1.Outcome_OUTCOME_OK, ""), `respond 200 last=true {"matched":0,"sent":0}`},
		{"closed", "/api/close", `{}`, &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Count: 2}, `respond 200 last=true {"matched":2}`},
		{"not the user's channel", "/api/updates", okUpdate, done(pluginv1.Outcome_OUTCOME_DENIED, `you may select by "your" channels only`), `respond 403 last=true {"error":"you may select by \"your\" channels only"}`},
		{"denied", "/api/close", `{}`, done(pluginv1.Outcome_OUTCOME_DENIED, ""), `respond 403 last=true {"error":"forbidden"}`},
		{"unavailable", "/api/close", `{}`, done(pluginv1.Outcome_OUTCOME_UNAVAILABLE, "secret"), `respond 503 last=true {"error":"The outcome is unknown; some clients may have been reached."}`},
		{"not the last", "/api/close", `{}`, &pluginv1.Answer{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := apiRequest{path: tt.path, body: tt.body}
			tag := strings.TrimPrefix(tt.path, "/api/")
			b := plugintest.NewBench(t, New(), bothRoles())
			b.Send(r.event())
			check(t, b.Send(answer(tag, tt.answer), plugintest.Closed(1000)), tt.want, "")

			// An instance that knows nothing of the request gives the same answer.
			resumed := plugintest.Resumed(nil)
			resumed.GetResumed().Snapshot = r.event().GetRequest().GetSnapshot()
			check(t, plugintest.NewBench(t, New(), bothRoles()).Send(resumed, answer(tag, tt.answer)), tt.want)
		})
	}
}

// A body that was refused as it is streamed comes all the same.
func TestStreamedBodyIsIgnored(t *testing.T) {
	b := plugintest.NewBench(t, New(), bothRoles())
	steps := b.Send(apiRequest{streamed: true}.event(), plugintest.Binary(okUpdate), &pluginv1.Event{Kind: &pluginv1.Event_Eof{Eof: &pluginv1.Eof{}}}, plugintest.Closed(1000))
	for _, s := range steps[1:] {
		if len(s.GetCommands()) > 0 {
			t.Errorf("event %d: %s", s.GetSeq(), plugintest.Format(s))
		}
	}
}

// FuzzBodies: no body is a panic, and one that is taken says what the standard library reads in it.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		okUpdate, `{"select":{"all":[{"path":"/workspaceIds","contains":"123"}]},"type":"workspace-updated","payload":{"id":1}}`,
		`{"select":{"any":[{"not":{"path":"/a~1b","in":[1,null]}},{"path":"","exists":true}],"channel":"c"},"code":4000,"reason":"\ud800"}`,
		`{"channel":"c","code":1000}`, `{"typ\u0065":"t","payload":{"a":[1.50]}}`, `{"select":null}`, `[]`, `{`, "\"\xff\"", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, read := range []func([]byte) (sdk.Select, error){readUpdate, readClose} {
			sel, err := read(body)
			if err != nil {
				if text := err.Error(); !utf8.ValidString(text) || len(text) > 500 {
					t.Fatalf("%q: error %q", body, text)
				}
				continue
			}
			var std struct {
				Select  struct{ Channel string }
				Channel string
				Type    string
				Payload json.RawMessage
				Code    *int
				Reason  string
			}
			if err := json.Unmarshal(body, &std); err != nil {
				t.Fatalf("%q is taken: %v", body, err)
			}
			if !sel.Authenticated || sel.Channel != std.Channel+std.Select.Channel || sdk.CheckWhere(sel.Where) != nil {
				t.Fatalf("%q: %+v", body, sel)
			}
			if c := sel.Action.Close; c != nil {
				if len(c.Reason) > maxReason || c.Reason != std.Reason || std.Code != nil && c.Code != *std.Code {
					t.Fatalf("%q: %+v", body, c)
				}
				continue
			}
			frame, at := sel.Action.Frames[0].Data, sel.Action.Frames[0].Slots[0].At
			m, err := decode(slices.Insert(slices.Clone(frame), at, []byte("abcdefghij")...), true)
			if err != nil || m.typ != std.Type || !bytes.Equal(m.payload, std.Payload) {
				t.Fatalf("%q: %s: %v", body, frame, err)
			}
		}
	})
}
