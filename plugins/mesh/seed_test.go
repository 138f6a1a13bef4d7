package mesh

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// The requests and answers of the protocol's own document, with the spaces that it writes them with.
var seed = []struct {
	name    string
	http    string // the path; empty: over the WebSocket
	request string
	leads   string // the command that a request leads to
	answer  *pluginv1.Answer
	want    string
}{
	{
		"send", "/v1/mesh/send",
		"{\n   \"c\": \"1463786910324359168\",\n   \"d\": \"data\"\n}",
		"call s client act 1463786910324359168 | data",
		&pluginv1.Answer{Tag: "s", Count: 1},
		"{\n   \"E\": null,\n   \"r\": {\n     \"s\": true\n   }\n}",
	},
	{
		"send fails", "/v1/mesh/send",
		"{\n   \"c\": \"1463786910324359168\",\n   \"d\": \"data\"\n}",
		"call s client act 1463786910324359168 | data",
		&pluginv1.Answer{Tag: "s"},
		"{\n   \"E\": {\n     \"c\": 401,\n     \"m\": \"failed to send\"\n   }\n}",
	},
	{
		"publish", "/v1/mesh/publish",
		"{\n   \"c\": \"channel1\",\n   \"d\": \"data\"\n}",
		`call p publish channel1 mesh {"data":"data"} | data`,
		&pluginv1.Answer{Tag: "p", Count: 9},
		"{\n   \"E\": null,\n   \"r\": {\n     \"s\": 9,\n     \"f\": 0\n   }\n}",
	},
	{
		"consume", "",
		"{\n   \"m\": \"queue.pop\",\n   \"p\": {\n     \"t\": [\n       \"topic1\"\n     ]\n   },\n   \"i\": 12345\n}",
		"consume topic1 256 q1:12345",
		&pluginv1.Answer{Tag: "q1:12345"},
		"{\n   \"E\": null,\n   \"r\": {\n     \"s\": true\n   },\n   \"i\": 12345\n}",
	},
	{
		"set_context_value", "",
		"{\n   \"m\": \"conn.call\",\n   \"p\": {\n     \"c\": \"1458271556210786304\",\n     \"f\": \"set_context_value\",\n     \"a\": [\n       \"user_id\",\n       10000\n     ]\n   },\n   \"i\": 12345\n}",
		"call c12345 order=requests/0 client act 1458271556210786304 context user_id=10000",
		&pluginv1.Answer{Tag: "c12345", Count: 1},
		"{\n   \"E\": null,\n   \"r\": {\n     \"s\": true\n   },\n   \"i\": 12345\n}",
	},
	{
		"set_context", "",
		"{\n   \"m\": \"conn.call\",\n   \"p\": {\n     \"c\": \"1458271556210786304\",\n     \"f\": \"set_context\",\n     \"a\": [\n       {\n         \"user_id\": 10000\n       }\n     ]\n   },\n   \"i\": 12345\n}",
		"call c12345 order=requests/0 client act 1458271556210786304 context context user_id=10000",
		&pluginv1.Answer{Tag: "c12345"},
		"{\n   \"E\": {\n     \"c\": 301,\n     \"m\": \"execution failed\"\n   },\n   \"i\": 12345\n}",
	},
	{
		"subscribe", "",
		"{\n   \"m\": \"conn.call\",\n   \"p\": {\n     \"c\": \"1463784730422935552\",\n     \"f\": \"subscribe\",\n     \"a\": [\n       \"channel1\",\n       \"channel2\"\n     ]\n   },\n   \"i\": 12345\n}",
		"call c12345 order=requests/0 client act 1463784730422935552 join channel1 join channel2",
		&pluginv1.Answer{Tag: "c12345", Count: 1},
		"{\n   \"E\": null,\n   \"r\": {\n     \"s\": true\n   },\n   \"i\": 12345\n}",
	},
	{
		"unsubscribe", "",
		"{\n   \"m\": \"conn.call\",\n   \"p\": {\n     \"c\": \"1463784730422935552\",\n     \"f\": \"unsubscribe\",\n     \"a\": [\n       \"channel1\",\n       \"channel2\"\n     ]\n   },\n   \"i\": 12345\n}",
		"call c12345 order=requests/0 client act 1463784730422935552 leave channel1 leave channel2",
		&pluginv1.Answer{Tag: "c12345", Count: 1},
		"{\n   \"E\": null,\n   \"r\": {\n     \"s\": true\n   },\n   \"i\": 12345\n}",
	},
	{
		"mesh.send", "",
		"{\n   \"m\": \"mesh.send\",\n   \"p\": {\n     \"c\": \"1463786910324359168\",\n     \"d\": \"data\"\n   },\n   \"id\": 12345\n}",
		"call s12345 order=requests/0 client act 1463786910324359168 | data",
		&pluginv1.Answer{Tag: "s12345", Count: 1},
		"{\n   \"E\": null,\n   \"r\": {\n     \"s\": true\n   },\n   \"i\": 12345\n}",
	},
	{
		"mesh.send fails", "",
		"{\n   \"m\": \"mesh.send\",\n   \"p\": {\n     \"c\": \"1463786910324359168\",\n     \"d\": \"data\"\n   },\n   \"id\": 12345\n}",
		"call s12345 order=requests/0 client act 1463786910324359168 | data",
		&pluginv1.Answer{Tag: "s12345", Failed: 1},
		"{\n   \"E\": {\n     \"c\": 401,\n     \"m\": \"failed to send\"\n   },\n   \"i\": 12345\n}",
	},
	{
		"mesh.publish", "",
		"{\n   \"m\": \"mesh.publish\",\n   \"p\": {\n     \"c\": \"channel1\",\n     \"d\": \"data\"\n   },\n   \"i\": 12345\n}",
		`call p12345 order=requests/0 publish channel1 mesh {"data":"data"} | data`,
		&pluginv1.Answer{Tag: "p12345", Count: 9},
		"{\n   \"E\": null,\n   \"r\": {\n     \"s\": 9,\n     \"f\": 0\n   },\n   \"i\": 12345\n}",
	},
}

// TestSeed: what the document shows is taken as it is, and answered so but for the white space.
func TestSeed(t *testing.T) {
	for _, tt := range seed {
		t.Run(tt.name, func(t *testing.T) {
			var b *plugintest.Bench
			var step *pluginv1.Step
			if tt.http != "" {
				b = plugintest.NewBench(t, New(), routes())
				step = b.Send(postEvent("POST", tt.http, tt.request))[0]
			} else {
				b = socketBench(t)
				step = b.Send(plugintest.Text(tt.request))[0]
			}
			if got, _, _ := strings.Cut(plugintest.Format(step), "\n"); got != tt.leads {
				t.Errorf("\ngot  %s\nwant %s", got, tt.leads)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, []byte(tt.want)); err != nil {
				t.Fatal(err)
			}
			got := plugintest.Format(b.Send(answered(tt.answer))[0])
			got = strings.TrimPrefix(strings.TrimPrefix(got, "respond 200 last=true "), "send ")
			if got != want.String() {
				t.Errorf("\ngot  %s\nwant %s", got, want.String())
			}
		})
	}
}
