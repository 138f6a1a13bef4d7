package httpapi

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

func show(a *upstream.Answer) string {
	var b strings.Builder
	fmt.Fprint(&b, a.Outcome)
	if a.Reason != "" {
		fmt.Fprintf(&b, " because %q", a.Reason)
	}
	if a.Payload != nil {
		fmt.Fprintf(&b, " reply %s", a.Payload)
	}
	for _, item := range a.Items {
		fmt.Fprintf(&b, " to %q %s %s", item.Channels, item.Type, item.Payload)
	}
	if a.Joins != nil || a.Leaves != nil {
		fmt.Fprintf(&b, " join %q leave %q", a.Joins, a.Leaves)
	}
	if a.Detail != "" {
		fmt.Fprintf(&b, " (%s)", a.Detail)
	}
	return b.String()
}

func TestDecodeMessage(t *testing.T) {
	t.Parallel()
	const wrongChannel = "unavailable (the channel of an element of the answer's publish is neither a string nor a list of strings)"
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"payload", 200, `{"payload":{ "b":1.00,"a":12345678901234567890 }}`, `ok reply { "b":1.00,"a":12345678901234567890 }`},
		{"status 201", 201, `{"payload":1}`, "ok reply 1"},
		{"false", 200, `{"payload":false}`, "ok reply false"},
		{"zero", 200, `{"payload":0}`, "ok reply 0"},
		{"empty text", 200, `{"payload":""}`, `ok reply ""`},
		{"empty object", 200, `{"payload":{}}`, "ok reply {}"},
		{"null payload", 200, `{"payload":null}`, "ok"},
		{"no payload", 200, `{}`, "ok"},
		{"null", 200, ` null `, "ok"},
		{"status 204", 204, ``, "ok"},
		{"byte order mark", 200, "\xEF\xBB\xBF{\"payload\":1}\n", "ok reply 1"},
		{"unknown members", 200, `{"status":"done","payload":1,"x":[{"error":"no"}]}`, "ok reply 1"},
		{"the last of duplicates", 200, `{"payload":1,"publish":5,"payload":2,"publish":[]}`, "ok reply 2"},
		{"null behind a duplicate", 200, `{"payload":1,"error":"x","payload":null,"error":null}`, "ok"},
		{"escaped names", 200, `{"pa\u0079load":1,"\u0065rror":null}`, "ok reply 1"},
		{"names have case", 200, `{"Payload":1,"ERROR":"x"}`, "ok"},

		{
			"publish", 200, `{"publish":[{"channel":"a","type":"x","payload":[1.0]},{"channel":["b","c"],"type":"y","payload":null}]}`,
			`ok to ["a"] x [1.0] to ["b" "c"] y null`,
		},
		{"publish without payload", 200, `{"publish":[{"type":"x","channel":"a"}]}`, `ok to ["a"] x {}`},
		{"publish to nobody", 200, `{"publish":[{"channel":[],"type":"x"}]}`, "ok"},
		{"publish nothing", 200, `{"publish":[],"join":[],"leave":[]}`, "ok"},
		{"publish null", 200, `{"publish":null,"join":null,"leave":null}`, "ok"},
		{"the last of duplicates in publish", 200, `{"publish":[{"channel":"a","channel":"b","type":"x","type":"y"}]}`, `ok to ["b"] y {}`},
		{"join and leave", 200, `{"payload":1,"join":["a","b\u0020"],"leave":["c"]}`, `ok reply 1 join ["a" "b "] leave ["c"]`},

		{"publish is an object", 200, `{"publish":{"channel":"a"}}`, "unavailable (the answer's publish is not a list)"},
		{"publish is text", 200, `{"payload":1,"publish":"a"}`, "unavailable (the answer's publish is not a list)"},
		{"publish of text", 200, `{"publish":["a"]}`, "unavailable (an element of the answer's publish is not an object)"},
		{"publish of null", 200, `{"publish":[null]}`, "unavailable (an element of the answer's publish is not an object)"},
		{"no channel", 200, `{"publish":[{"type":"x"}]}`, wrongChannel},
		{"null channel", 200, `{"publish":[{"channel":null,"type":"x"}]}`, wrongChannel},
		{"channel is a number", 200, `{"publish":[{"channel":5,"type":"x"}]}`, wrongChannel},
		{"channels with a number", 200, `{"publish":[{"channel":["a",5],"type":"x"}]}`, wrongChannel},
		{"no type", 200, `{"publish":[{"channel":"a"}]}`, "unavailable (the type of an element of the answer's publish is not a string)"},
		{"type is null", 200, `{"publish":[{"channel":"a","type":null}]}`, "unavailable (the type of an element of the answer's publish is not a string)"},
		{"one wrong of two", 200, `{"publish":[{"channel":"a","type":"x"},{"channel":"a","type":7}]}`, "unavailable (the type of an element of the answer's publish is not a string)"},
		{"join is text", 200, `{"join":"a"}`, "unavailable (the answer's join is not a list of strings)"},
		{"join of numbers", 200, `{"join":["a",1]}`, "unavailable (the answer's join is not a list of strings)"},
		{"leave is an object", 200, `{"leave":{}}`, "unavailable (the answer's leave is not a list of strings)"},

		{"error", 200, `{"error":"No such room","payload":1}`, `denied because "No such room"`},
		{"empty error", 200, `{"error":""}`, "denied"},
		{"error is null", 200, `{"error":null,"payload":1}`, "ok reply 1"},
		{"error is an object", 200, `{"error":{"code":5}}`, "unavailable (the answer's error is not a string)"},
		{"error is false", 200, `{"error":false}`, "unavailable (the answer's error is not a string)"},
		{"status 401", 401, `{"error":"Log in"}`, `denied because "Log in"`},
		{"status 403", 403, `{"error":"Forbidden","payload":1}`, `denied because "Forbidden"`},
		{"status 403 with a page", 403, `<html>Forbidden</html>`, "denied"},
		{"status 401 with nothing", 401, ``, "denied"},
		{"status 403 with another error", 403, `{"error":5}`, "denied"},
		{"status 403 with half an error", 403, `{"error":"x"`, "denied"},

		{"status 400", 400, `{"error":"bad"}`, `unavailable (the back-end answered with status 400: "{\"error\":\"bad\"}")`},
		{"status 404", 404, `Not Found`, `unavailable (the back-end answered with status 404: "Not Found")`},
		{"status 422", 422, ``, `unavailable (the back-end answered with status 422: "")`},
		{"status 500", 500, strings.Repeat("x", 1000), `unavailable (the back-end answered with status 500: "` + strings.Repeat("x", 80) + `")`},
		{"status 302", 302, `{"payload":1}`, `unavailable (the back-end answered with status 302: "{\"payload\":1}")`},
		{"status 199", 199, `{"payload":1}`, `unavailable (the back-end answered with status 199: "{\"payload\":1}")`},
		{"empty", 200, " \n", "unavailable (the answer is empty, and its status is not 204)"},
		{"a page", 200, `<!DOCTYPE html>`, `unavailable (the answer is not JSON: "<!DOCTYPE html>")`},
		{"nearly null", 200, `nope`, `unavailable (the answer is not JSON: "nope")`},
		{"truncated", 200, `{"payload":1`, `unavailable (the answer is not JSON: "{\"payload\":1")`},
		{"two objects", 200, `{}{}`, `unavailable (the answer is not JSON: "{}{}")`},
		{"not UTF-8", 200, "{\"payload\":\"\xff\"}", `unavailable (the answer is not JSON: "{\"payload\":\"\xff\"}")`},
		{"a list", 200, `[{"payload":1}]`, "unavailable (the answer is not a JSON object)"},
		{"text", 200, `"ok"`, "unavailable (the answer is not a JSON object)"},
		{"true", 200, `true`, "unavailable (the answer is not a JSON object)"},
		{"too deep", 200, strings.Repeat(`{"payload":`, 600) + "1" + strings.Repeat("}", 600), `unavailable (the answer is not JSON: "` + strings.ReplaceAll(strings.Repeat(`{"payload":`, 8)[:80], `"`, `\"`) + `")`},
	}
	for _, test := range tests {
		got := DecodeAnswer("message", test.status, []byte(test.body))
		if shown := show(got); shown != test.want || !got.Last {
			t.Errorf("%s: status %d, %s is\n%s, want\n%s", test.name, test.status, test.body, shown, test.want)
		}
	}
}

func TestDecodeSubscribe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		body   string
		want   string
	}{
		{200, `{"allow":true}`, "ok"},
		{200, `{"x":1, "allow" : true }`, "ok"},
		{200, `{"allow":false,"allow":true}`, "ok"},
		{200, `{"allow":true,"allow":false}`, "denied"},
		{200, `{"allow":true,"allow":null}`, "denied"},
		{200, `{"allow":false}`, "denied"},
		{200, `{"allow":"true"}`, "denied"},
		{200, `{"allow":1}`, "denied"},
		{200, `{"allow":[true]}`, "denied"},
		{200, `{}`, "denied"},
		{200, `null`, "denied"},
		{204, ``, "denied"},
		{200, `{"allow":true,"error":"no"}`, `denied because "no"`},
		{403, `{"allow":true}`, "denied"},
		{401, `{"allow":true,"error":"no"}`, `denied because "no"`},
		{500, `{"allow":true}`, `unavailable (the back-end answered with status 500: "{\"allow\":true}")`},
		{307, ``, `unavailable (the back-end answered with status 307: "")`},
		{200, ``, "unavailable (the answer is empty, and its status is not 204)"},
		{200, `true`, "unavailable (the answer is not a JSON object)"},
		{200, `[true]`, "unavailable (the answer is not a JSON object)"},
		{200, `allow`, `unavailable (the answer is not JSON: "allow")`},
	}
	for _, test := range tests {
		if got := show(DecodeAnswer("subscribe", test.status, []byte(test.body))); got != test.want {
			t.Errorf("status %d, %s is %s, want %s", test.status, test.body, got, test.want)
		}
	}
}

// That a session has ended is told, not asked.
func TestDecodeClosed(t *testing.T) {
	t.Parallel()
	for body, status := range map[string]int{`{"payload":1,"publish":5}`: 200, `<html>`: 200, `{"error":"x"}`: 200, ``: 204} {
		if got := show(DecodeAnswer("closed", status, []byte(body))); got != "ok" {
			t.Errorf("status %d, %s is %s, want ok", status, body, got)
		}
	}
	if got := DecodeAnswer("closed", 500, nil); got.Outcome != upstream.Unavailable || got.Detail == "" {
		t.Errorf("status 500 is %+v", got)
	}
}

func TestDecodeAuthorized(t *testing.T) {
	t.Parallel()
	const noUser = "unavailable (the answer names no user: user_id is missing)"
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"user", 200, `{"user_id":"38"}`, `ok "38"`},
		{"claims", 200, `{"user_id":"38","claims":{ "n":12345678901234567890, "a":1.00}}`, `ok "38" { "n":12345678901234567890, "a":1.00}`},
		{"channels", 200, `{"user_id":"38","channels":["user/38","a b"]}`, `ok "38" join ["user/38" "a b"]`},
		{"number", 200, `{"user_id":12345678901234567890}`, `ok "12345678901234567890"`},
		{"negative", 200, `{"user_id":-5}`, `ok "-5"`},
		{"nothing else", 200, `{"user_id":"38","claims":null,"channels":null}`, `ok "38"`},
		{"empty claims", 200, `{"user_id":"38","claims":{},"channels":[]}`, `ok "38" {}`},
		{"the last of duplicates", 200, `{"user_id":"1","user_id":"2"}`, `ok "2"`},
		{"escapes", 200, `{"user_id":"\u00e9\n"}`, `ok "é\n"`},
		{"error", 200, `{"error":"Wrong auth payload","user_id":"38"}`, `denied because "Wrong auth payload"`},
		{"status 401", 401, `{"user_id":"38"}`, "denied"},
		{"status 403", 403, `{"error":"banned"}`, `denied because "banned"`},
		{"status 403 with a page", 403, `<html>`, "denied"},

		{"no user", 200, `{"claims":{}}`, noUser},
		{"null user", 200, `{"user_id":null}`, noUser},
		{"empty user", 200, `{"user_id":""}`, noUser},
		{"status 204", 204, ``, noUser},
		{"null", 200, `null`, noUser},
		{"user is a fraction", 200, `{"user_id":1.5}`, "unavailable (the answer's user_id is neither a string nor an integer)"},
		{"user with an exponent", 200, `{"user_id":1e3}`, "unavailable (the answer's user_id is neither a string nor an integer)"},
		{"user is an object", 200, `{"user_id":{"id":"38"}}`, "unavailable (the answer's user_id is neither a string nor an integer)"},
		{"user is false", 200, `{"user_id":false}`, "unavailable (the answer's user_id is neither a string nor an integer)"},
		{"claims are a list", 200, `{"user_id":"38","claims":[]}`, "unavailable (the answer's claims are not an object)"},
		{"claims are text", 200, `{"user_id":"38","claims":"{}"}`, "unavailable (the answer's claims are not an object)"},
		{"channels are text", 200, `{"user_id":"38","channels":"a"}`, "unavailable (the answer's channels is not a list of strings)"},
		{"channels of numbers", 200, `{"user_id":"38","channels":[1]}`, "unavailable (the answer's channels is not a list of strings)"},
		{"error is an object", 200, `{"user_id":"38","error":{}}`, "unavailable (the answer's error is not a string)"},
		{"status 500", 500, `{"user_id":"38"}`, `unavailable (the back-end answered with status 500: "{\"user_id\":\"38\"}")`},
		{"status 302", 302, ``, `unavailable (the back-end answered with status 302: "")`},
		{"empty", 200, ``, "unavailable (the answer is empty, and its status is not 204)"},
		{"a page", 200, `<html>`, `unavailable (the answer is not JSON: "<html>")`},
		{"a list", 200, `["38"]`, "unavailable (the answer is not a JSON object)"},
	}
	for _, test := range tests {
		a := DecodeAuthorized(test.status, []byte(test.body))
		got := a.Outcome.String()
		if a.UserID != "" {
			got += fmt.Sprintf(" %q", a.UserID)
		}
		if a.Claims != nil {
			got += " " + string(a.Claims)
		}
		if a.Channels != nil {
			got += fmt.Sprintf(" join %q", a.Channels)
		}
		if a.Reason != "" {
			got += fmt.Sprintf(" because %q", a.Reason)
		}
		if a.Detail != "" {
			got += " (" + a.Detail + ")"
		}
		if got != test.want {
			t.Errorf("%s: status %d, %s is\n%s, want\n%s", test.name, test.status, test.body, got, test.want)
		}
	}
}

// The body's memory is used again when an answer is under way.
func TestDecodedIsOwned(t *testing.T) {
	t.Parallel()
	body := []byte(`{"payload":"p","publish":[{"channel":"c","type":"t","payload":"i"}],"join":["j"],"user_id":"u","claims":{"c":1},"channels":["d"]}`)
	answer, auth := DecodeAnswer("message", 200, body), DecodeAuthorized(200, body)
	clear(body)
	if got, want := show(answer), `ok reply "p" to ["c"] t "i" join ["j"] leave []`; got != want {
		t.Errorf("the answer has become %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%s %s %s", auth.UserID, auth.Claims, auth.Channels), `u {"c":1} [d]`; got != want {
		t.Errorf("the identity has become %s, want %s", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"payload":{"a":1},"publish":[{"channel":"c","type":"t","payload":1},{"channel":["a","b"],"type":"t"}],"join":["a"],"leave":["b"]}`,
		`{"allow":true}`, `{"user_id":"38","claims":{"a":1.0},"channels":["x"]}`, `{"user_id":38}`, `{"error":"x"}`, `{"error":{}}`,
		`null`, ``, `[]`, `{"publish":[{"channel":[],"type":""}]}`, "\xEF\xBB\xBF{}", `{"payload":1,"payload":null}`, `<html>`, `{"user_id":`,
	} {
		f.Add(200, []byte(body))
		f.Add(403, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		before := bytes.Clone(body)
		for _, purpose := range []string{"message", "subscribe", "closed"} {
			a := DecodeAnswer(purpose, status, body)
			if !a.Last || (a.Outcome == upstream.Unavailable) != (a.Detail != "") {
				t.Errorf("%s, status %d, %q: %+v", purpose, status, body, a)
			}
			if a.Outcome != upstream.OK && (a.Payload != nil || a.Items != nil || a.Joins != nil || a.Leaves != nil) {
				t.Errorf("%s, status %d, %q fails with content: %+v", purpose, status, body, a)
			}
			if a.Payload != nil && (!rawjson.Valid(a.Payload) || rawjson.KindOf(a.Payload) == rawjson.Null) {
				t.Errorf("status %d, %q has the payload %q", status, body, a.Payload)
			}
			for _, item := range a.Items {
				if len(item.Channels) == 0 || !rawjson.Valid(item.Payload) {
					t.Errorf("status %d, %q has the item %+v", status, body, item)
				}
			}
		}
		u := DecodeAuthorized(status, body)
		if (u.Outcome == upstream.OK) != (u.UserID != "") || u.Claims != nil && rawjson.KindOf(u.Claims) != rawjson.Object {
			t.Errorf("status %d, %q is %+v", status, body, u)
		}
		if !bytes.Equal(body, before) {
			t.Errorf("%q has become %q", before, body)
		}
	})
}
