package mesh

import (
	"fmt"
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestParameters(t *testing.T) {
	long := strings.Repeat("x", 256)
	tests := []struct{ name, method, params, want string }{ // want: a call, or a code
		{"nothing", "mesh.send", `{}`, "101"},
		{"19 digits", "mesh.send", `{"c":"1463786910324359168","d":"x"}`, "client act 1463786910324359168 | x"},
		{"19 digits as a number", "mesh.send", `{"c":1463786910324359169,"d":"x"}`, "client act 1463786910324359169 | x"},
		{"largest", "mesh.send", `{"c":"9223372036854775807","d":"x"}`, "client act 9223372036854775807 | x"},
		{"zeros in front", "mesh.send", `{"c":"007","d":"x"}`, "client act 7 | x"},
		{"escaped digits", "mesh.send", `{"c":"\u0037","d":"x"}`, "client act 7 | x"},
		{"too large", "mesh.send", `{"c":9223372036854775808,"d":"x"}`, "101"},
		{"zero", "mesh.send", `{"c":"0","d":"x"}`, "101"},
		{"plus", "mesh.send", `{"c":"+1","d":"x"}`, "101"},
		{"20 digits", "mesh.send", `{"c":"00000000000000000001","d":"x"}`, "101"},
		{"other digits", "mesh.send", `{"c":"٣","d":"x"}`, "101"},
		{"true", "mesh.send", `{"c":true,"d":"x"}`, "101"},
		{"object", "mesh.send", `{"c":{},"d":"x"}`, "101"},
		{"negative zero", "mesh.send", `{"c":-0,"d":"x"}`, "101"},
		{"unknown members", "mesh.send", `{"c":"7","d":"x","z":[1]}`, "client act 7 | x"},
		{"last duplicate", "mesh.send", `{"c":"8","d":1,"c":"7","d":"x"}`, "client act 7 | x"},
		{"escaped names", "mesh.send", `{"\u0063":"7","\u0064":"x"}`, "client act 7 | x"},
		{"escapes", "mesh.send", `{"c":"7","d":"\u00e9\"\n\/"}`, "client act 7 | é\"\n/"},
		{"half a character", "mesh.send", `{"c":"7","d":"\ud800"}`, "client act 7 | \ufffd"},
		{"padded", "mesh.send", `{"c":"7","t":"binary","d":"AQI="}`, "client act 7 | \x01\x02"},
		{"not padded", "mesh.send", `{"c":"7","t":"binary","d":"AQI"}`, "client act 7 | \x01\x02"},
		{"nothing in base64", "mesh.send", `{"c":"7","t":"binary","d":""}`, "client act 7 |"},
		{"line in base64", "mesh.send", `{"c":"7","t":"binary","d":"AQ\nI="}`, "101"},
		{"url form", "mesh.send", `{"c":"7","t":"binary","d":"_-__"}`, "101"},
		{"too much padding", "mesh.send", `{"c":"7","t":"binary","d":"AQI=="}`, "101"},
		{"bits left", "mesh.send", `{"c":"7","t":"binary","d":"AQJ="}`, "101"},
		{"case of t", "mesh.send", `{"c":"7","t":"Binary","d":""}`, "101"},
		{"largest data", "mesh.send", `{"c":"7","d":"` + strings.Repeat("x", 1<<20) + `"}`, "client act 7 | " + strings.Repeat("x", 1<<20)},
		{"larger data", "mesh.send", `{"c":"7","d":"` + strings.Repeat("x", 1<<20+1) + `"}`, "101"},
		{"in an array", "mesh.send", `[{"c":"7","d":"x"}]`, "101"},

		{"channel", "mesh.publish", `{"c":"BTCUSDT@depth","d":"x"}`, `publish BTCUSDT@depth mesh {"data":"x"} | x`},
		{"other letters", "mesh.publish", `{"c":"频道/*","d":"x"}`, `publish 频道/* mesh {"data":"x"} | x`},
		{"longest channel", "mesh.publish", `{"c":"` + long[1:] + `","d":"x"}`, `publish ` + long[1:] + ` mesh {"data":"x"} | x`},
		{"longer channel", "mesh.publish", `{"c":"` + long + `","d":"x"}`, "101"},
		{"no channel", "mesh.publish", `{"c":"","d":"x"}`, "101"},
		{"space", "mesh.publish", `{"c":"a b","d":"x"}`, "101"},
		{"wide space", "mesh.publish", `{"c":"a\u3000b","d":"x"}`, "101"},
		{"control", "mesh.publish", `{"c":"a\u0000","d":"x"}`, "101"},
		{"private", "mesh.publish", `{"c":"$a","d":"x"}`, "101"},
		{"number", "mesh.publish", `{"c":5,"d":"x"}`, "101"},
		{"binary", "mesh.publish", `{"c":"c","t":"binary","d":"AAH/"}`, "publish c mesh {\"data\":\"AAH/\",\"encoding\":\"base64\"} | \x00\x01\xff"},
		{"message", "mesh.publish", `{"c":"c","d":"{\"type\":\"t\",\"payload\":{\"n\":1463786910324359168}}"}`, `publish c t {"n":1463786910324359168} | {"type":"t","payload":{"n":1463786910324359168}}`},
		{"almost a message", "mesh.publish", `{"c":"c","d":"{\"type\":\"t\",\"payload\":[]}"}`, `publish c mesh {"data":"{\"type\":\"t\",\"payload\":[]}"} | {"type":"t","payload":[]}`},
		{"message without a type", "mesh.publish", `{"c":"c","d":"{\"type\":\"\",\"payload\":{}}"}`, `publish c mesh {"data":"{\"type\":\"\",\"payload\":{}}"} | {"type":"","payload":{}}`},

		{"context", "conn.call", `{"c":"7","f":"set_context_value","a":["k",{"a":[1.50]}]}`, `client act 7 context k={"a":[1.50]}`},
		{"context null", "conn.call", `{"c":"7","f":"set_context_value","a":["k",null]}`, `client act 7 context k=`},
		{"context without a value", "conn.call", `{"c":"7","f":"set_context_value","a":["k"]}`, "101"},
		{"context with two", "conn.call", `{"c":"7","f":"set_context_value","a":["k",1,2]}`, "101"},
		{"context key", "conn.call", `{"c":"7","f":"set_context_value","a":[1,1]}`, "101"},
		{"context empty key", "conn.call", `{"c":"7","f":"set_context_value","a":["",1]}`, "101"},
		{"context long key", "conn.call", `{"c":"7","f":"set_context_value","a":["` + long + `",1]}`, "101"},
		{"replace", "conn.call", `{"c":"7","f":"set_context","a":[{}]}`, `client act 7 context`},
		{"replace by a list", "conn.call", `{"c":"7","f":"set_context","a":[[]]}`, "101"},
		{"replace by two", "conn.call", `{"c":"7","f":"set_context","a":[{},{}]}`, "101"},
		{"replace by none", "conn.call", `{"c":"7","f":"set_context","a":[]}`, "101"},
		{"replace empty key", "conn.call", `{"c":"7","f":"set_context","a":[{"":1}]}`, "101"},
		{"in one array", "conn.call", `[{"c":"7","f":"subscribe","a":["c"]}]`, "client act 7 join c"},
		{"in an array of two", "conn.call", `[{"c":"7","f":"subscribe","a":["c"]},{}]`, "101"},
		{"bare id", "conn.call", `{"c":1463784730422935552,"f":"unsubscribe","a":["c"]}`, "client act 1463784730422935552 leave c"},
		{"no function", "conn.call", `{"c":"7","a":["c"]}`, "101"},
		{"function no string", "conn.call", `{"c":"7","f":1,"a":["c"]}`, "101"},
		{"no arguments", "conn.call", `{"c":"7","f":"subscribe"}`, "101"},
		{"case", "conn.call", `{"c":"7","f":"Subscribe","a":["c"]}`, "101"},
		{"lua", "conn.call", `{"c":"7","f":"wait_context_value","a":["c"]}`, "101"},

		{"object", "queue.pop", `{"t":["a","b","a"]}`, "consume a,b 128 q1:5"},
		{"array", "queue.pop", `["foo"]`, "consume foo 256 q1:5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := asked(t, fmt.Sprintf(`{"m":%q,"p":%s,"i":5}`, tt.method, tt.params))
			if tt.want == "101" {
				if !isFault(got, tt.want) || !strings.HasSuffix(got, `,"i":5}`) {
					t.Errorf("got %.300s", got)
				}
				return
			}
			first, _, _ := strings.Cut(got, "\nput ")
			first = strings.TrimPrefix(first, "call "+map[string]string{"mesh.send": "s", "mesh.publish": "p", "conn.call": "c"}[tt.method]+"5 order=requests/0 ")
			if first != tt.want {
				t.Errorf("\ngot  %.300s\nwant %.300s", first, tt.want)
			}
		})
	}
}

// TestTooLarge: a body beyond what the largest data may need is refused by its status.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	const most = 2<<20 + envelope
	if got := posted(t, "/v1/mesh/send", strings.Repeat(" ", most)); !strings.HasPrefix(got, "respond 200 ") || !isFault(got, "101") {
		t.Errorf("got %.300s", got)
	}
	if got := posted(t, "/v1/mesh/send", strings.Repeat(" ", most+1)); !strings.HasPrefix(got, "respond 413 ") || !isFault(got, "101") {
		t.Errorf("got %.300s", got)
	}
	if got := posted(t, "/v1/mesh/send", "{\"c\":\"1\",\"d\":\"\xff\"}"); !isFault(got, "101") {
		t.Errorf("no UTF-8: got %.300s", got)
	}
}

// TestOutcomes: what becomes of calls that the core does not do.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		tag     string
		outcome pluginv1.Outcome
		status  string
		want    string
	}{
		{"s", pluginv1.Outcome_OUTCOME_UNAVAILABLE, "503", `{"E":{"c":401,"m":"failed to send"}}`},
		{"s", pluginv1.Outcome_OUTCOME_DENIED, "403", `{"E":{"c":101,"m":"forbidden"}}`},
		{"p", pluginv1.Outcome_OUTCOME_UNAVAILABLE, "503", `{"E":{"c":101,"m":"the outcome is unknown"}}`},
		{"p", pluginv1.Outcome_OUTCOME_DENIED, "403", `{"E":{"c":101,"m":"forbidden"}}`},
		{"c", pluginv1.Outcome_OUTCOME_UNAVAILABLE, "", `{"E":{"c":301,"m":"execution failed"}}`},
		{"c", pluginv1.Outcome_OUTCOME_DENIED, "", `{"E":{"c":101,"m":"forbidden"}}`},
	}
	for _, tt := range tests {
		b := plugintest.NewBench(t, New(), routes())
		if tt.status != "" {
			b.Send(postEvent("POST", "/v1/mesh/send", `{"c":"1","d":"x"}`))
			got := plugintest.Format(b.Send(answered(&pluginv1.Answer{Tag: tt.tag, Outcome: tt.outcome}))[0])
			if want := "respond " + tt.status + " last=true " + tt.want; got != want {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
		}
		b = socketBench(t)
		got := plugintest.Format(b.Send(answered(&pluginv1.Answer{Tag: tt.tag + "1", Outcome: tt.outcome}))[0])
		if want := "send " + strings.TrimSuffix(tt.want, "}") + `,"i":1}`; got != want {
			t.Errorf("\ngot  %s\nwant %s", got, want)
		}
	}
}

// TestCounts: a publish says who took it and who did not.
func TestCounts(t *testing.T) {
	t.Parallel()
	got := plugintest.Format(socketBench(t).Send(answered(&pluginv1.Answer{Tag: "p1", Count: 9, Failed: 2}))[0])
	if want := `send {"E":null,"r":{"s":9,"f":2},"i":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHeld: what a paused end user may have waiting is bounded.
func TestHeld(t *testing.T) {
	t.Parallel()
	config := routes()
	config.Route = `{"topic":"\"chat\"","pause_when":"payload.op == \"auth\"","pause_until":"uid"}`
	for _, tt := range []struct {
		frame string
		most  int
	}{{"x", maxHeld}, {strings.Repeat("x", maxHeldBytes/4), 4}} {
		b := plugintest.NewBench(t, New(), config)
		b.Send(opened(plugintest.Route, "/", ""), plugintest.Text(`{"op":"auth"}`))
		for range tt.most {
			if got := plugintest.Format(b.Send(plugintest.Text(tt.frame))[0]); !strings.HasPrefix(got, "put held.") {
				t.Fatalf("got %.100s", got)
			}
		}
		if got := plugintest.Format(b.Send(plugintest.Text(tt.frame))[0]); got != "close 1013 "+closeHeld.Reason {
			t.Errorf("got %.100s", got)
		}
	}
}

// TestComplaints: what is wrong with a configuration is said of the attribute.
func TestComplaints(t *testing.T) {
	t.Parallel()
	tests := []struct{ plugin, route, want string }{
		{"", `{"topic":"\"chat\""}`, ""},
		{`{"topic_size":0}`, "", "topic_size"},
		{`{"max_topics":-1}`, "", "max_topics"},
		{`{"max_message":16777217}`, "", "max_message"},
		{`{"topic_ttl":"0s"}`, "", "topic_ttl"},
		{"", `{"topic":null}`, "topic"},
		{"", `{"topic":"\"a b\""}`, "topic"},
		{"", `{"topic":"\"chat\"","frames":["pong"]}`, "frames"},
		{"", `{"topic":"\"chat\"","headers_on":["open"]}`, "headers_on"},
		{"", `{"topic":"\"chat\"","context_keys":["frame"]}`, "context_keys"},
		{"", `{"topic":"\"chat\"","pause_until":"uid"}`, "pause_when"},
		{"", `{"topic":"\"chat\"","pause_when":"payload.a == 1","pause_until":"uid","pause_timeout":"0s"}`, "pause_timeout"},
	}
	for _, tt := range tests {
		config := routes()
		config.Plugin, config.Route = tt.plugin, tt.route
		list := plugintest.Configure(t, New(), config)
		switch {
		case tt.want == "" && len(list) == 0:
		case len(list) != 1 || list[0].GetAttribute() != tt.want:
			t.Errorf("%s %s: %v", tt.plugin, tt.route, list)
		}
	}
	config := routes()
	config.Routes[1].Path = "/other"
	if list := plugintest.Configure(t, New(), config); len(list) != 1 || list[0].GetRoute() != "api" {
		t.Errorf("another path: %v", list)
	}
}
