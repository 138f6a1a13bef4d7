package mesh

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// FuzzClient: whatever an end user sends, no frame fails but for one that the expressions make no topic of,
// or cannot compare.
func FuzzClient(f *testing.F) {
	config := routes()
	config.Route = `{"topic":"payload.to","frames":["text","binary"],"event":true,"context_keys":["uid"],"pause_when":"payload.op == \"auth\"","pause_until":"uid"}`
	config.MayFail = makesNoTopic
	plugintest.FuzzStep(f, New, config, `{"to":"a"}`, `{"to":"a b"}`, `{"to":["a","b"]}`, `{"op":1e999999999}`, `5`, `["to"]`, `{"to":"$a"}`, `{"op":"auth"}`, "x", "", "null", `{"to":1e400}`, `{"to":{}}`, `{"op":{"a":[]}}`, "\xff")
}

// makesNoTopic says whether payload.to of a frame is no topic, or payload.op no value to compare.
func makesNoTopic(frame string) bool {
	if !json.Valid([]byte(frame)) {
		return false
	}
	members := json.NewDecoder(strings.NewReader(frame))
	members.UseNumber()
	var all any
	if members.Decode(&all) != nil {
		return true
	}
	m, isObject := all.(map[string]any)
	if !isObject {
		return all != nil // which has no members
	}
	name, isText := m["to"].(string)
	_, isNumber := m["op"].(json.Number)
	return isNumber || m["to"] != nil && (!isText || sdk.CheckChannel(name) != nil)
}

// FuzzRequest: whatever a back-end sends, it gets one answer with its id, or one call is made.
func FuzzRequest(f *testing.F) {
	for _, tt := range seed {
		f.Add(tt.request)
	}
	f.Add(`{"m":"conn.call","p":[{"c":1,"f":"set_context","a":[{"a":null}]}],"i":[]}`)
	f.Add(`{"m":"queue.unpop","i":1e5}`)
	f.Add("ping")
	f.Fuzz(func(t *testing.T, frame string) {
		if !utf8.ValidString(frame) { // the core closes such a client
			return
		}
		step := socketBench(t).Send(plugintest.Text(frame))[0]
		got := plugintest.Format(step)
		switch {
		case strings.HasPrefix(got, "call "), strings.HasPrefix(got, "consume "), got == "send pong":
		case strings.HasPrefix(got, "send ") && len(step.GetCommands()) == 1:
			var answer struct {
				E *struct {
					C int
					M string
				}
				R json.RawMessage
			}
			text := strings.TrimPrefix(got, "send ")
			if err := json.Unmarshal([]byte(text), &answer); err != nil || (answer.E == nil) == (answer.R == nil) {
				t.Fatalf("%q is answered %s (%v)", frame, text, err)
			}
		default:
			t.Fatalf("%q leads to %s", frame, got)
		}
	})
}

// FuzzPost: likewise over HTTP.
func FuzzPost(f *testing.F) {
	for _, tt := range seed {
		f.Add(tt.request, tt.http == "/v1/mesh/publish")
	}
	f.Fuzz(func(t *testing.T, body string, publish bool) {
		path := "/v1/mesh/send"
		if publish {
			path = "/v1/mesh/publish"
		}
		got := posted(t, path, body)
		if !strings.HasPrefix(got, "call ") && !isFault(got, "101") {
			t.Fatalf("%q leads to %s", body, got)
		}
	})
}

// FuzzEncode: any message has a form, and one of a mesh API its own again.
func FuzzEncode(f *testing.F) {
	f.Add("mesh", `{"data":"x"}`, "x", false)
	f.Add("t", `{}`, "{\"type\":\"a\",\"payload\":{}}", true)
	f.Fuzz(func(t *testing.T, typ, payload, text string, binary bool) {
		if json.Valid([]byte(payload)) {
			if out, err := New().Encode(sdk.Message{Type: typ, Payload: []byte(payload)}); err != nil || out.Data == nil {
				t.Fatalf("%q %s: %v", typ, payload, err)
			}
		}
		d := data{[]byte(text), binary}
		if !binary && !utf8.ValidString(text) {
			return
		}
		m := messageOf(d)
		if m.Type != meshType {
			return
		}
		back, ok := publishedData(m)
		if !ok || string(back.bytes) != text || back.binary != binary {
			t.Fatalf("%q became %s and %q", text, m.Payload, back.bytes)
		}
	})
}
