package logux

import (
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// FuzzRequests: whatever is posted to a route of any role, there is one step for it, and none that failed.
func FuzzRequests(f *testing.F) {
	routes := []string{"server", "control", "backend", "strict", "http", "relay"}
	for i := range routes {
		for _, body := range []string{
			`{`, `[]`, in(1, `["action",{"type":"a"},{"clients":["38:a"],"id":"1 38:a:b 0"}]`), in(1, actionIn1(subscribe, subscribeID)),
			in4(`{"command":"auth","authId":"i","userId":false,"token":{},"cookie":[],"headers":{"a":{}}}`), in(3, `["auth",null,null,"i"]`),
			in4(`{"command":"action","action":{"type":"logux/undo","id":"1 38:a:b 0"},"meta":{"users":[38,""],"time":"7"}}`),
		} {
			f.Add(uint8(i), "/", body)
		}
	}
	f.Fuzz(func(t *testing.T, route uint8, path, body string) {
		r := post{route: routes[int(route)%len(routes)], path: path, body: body}
		if !strings.HasPrefix(path, "/") || strings.ToValidUTF8(path, "") != path {
			return
		}
		b := plugintest.NewBench(t, New(), requestRoutes())
		steps := b.Send(r.event(1))
		for _, c := range steps[0].GetCommands() {
			if c.GetRespond().GetStatus() == 500 || c.GetClose() != nil {
				t.Fatalf("%+v failed", r)
			}
		}
	})
}

// FuzzReplies: whatever the back-end says, an asking server of any version gets one list, with something for
// the command at its end, and nothing is left open.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{
		`["approved","` + renameID + `"]` + "\n" + `["processed","` + renameID + `"]`,
		`{"answer":"action","id":"` + renameID + `","action":{"type":"x"},"meta":{"clients":["a:b"],"user":38}}` + "\n" + `["approved","` + renameID + `"]`,
		`["resend","` + renameID + `",{"channels":["users/38"]}],["approved","` + renameID + `"]` + "\n" + `["error","stack"]`,
		"null\n[]\n{}\n1",
		`["action","` + renameID + `",{"type":"x"}],["approved","` + renameID + `"],["processed","` + renameID + `"]`,
	} {
		for version := range uint8(4) {
			f.Add(version, version%2 == 0, seed)
		}
	}
	f.Fuzz(func(t *testing.T, version uint8, subscribes bool, said string) {
		action := rename
		if subscribes {
			action = subscribe
		}
		a := ask(t, post{route: "backend", body: in(int(version%4)+1, actionIn1(action, renameID))})
		tag, text, last := a.tag(0), "", false
		var pushes []string
		take := func() {
			for _, c := range a.last.GetCommands() {
				if r := c.GetRespond(); r != nil {
					if last {
						t.Fatalf("%q: something follows the end %s", said, text)
					}
					text += string(r.GetBody())
					last = r.GetLast()
				}
				if call := c.GetCall(); call != nil && call.GetTag() != tag {
					pushes = append(pushes, call.GetTag())
				}
				if c.GetClose() != nil {
					t.Fatalf("%q fails", said)
				}
			}
		}
		take()
		for line := range strings.SplitSeq(said, "\n") {
			if rawjson.Valid([]byte("["+line+"]")) && strings.ToValidUTF8(line, "") == line {
				a.says(tag, line)
				take()
			}
		}
		a.fails(tag, pluginv1.Outcome_OUTCOME_UNAVAILABLE)
		take()
		for _, push := range pushes {
			a.answers(push, &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK})
			take()
		}
		if !last || !rawjson.Valid([]byte(text)) || text == "[]" {
			t.Fatalf("%q leads to %s", said, text)
		}
	})
}
