package logux

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

func TestNodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id   string
		want nodeID
	}{
		{"38:Y7bysd:O0ETfc", nodeID{"38", "38:Y7bysd", true}},
		{"38:Y7bysd", nodeID{"38", "38:Y7bysd", true}},
		{"a:b:c:d", nodeID{"a", "a:b", true}},
		{"uuid", nodeID{"", "uuid", false}},
		{":uuid:t", nodeID{"", ":uuid", true}},
		{"server:iSiqWU5J", nodeID{"server", "server:iSiqWU5J", true}},
		{"server", nodeID{"", "server", false}},
		{"server:", nodeID{"server", "server:", true}},
	}
	for _, test := range tests {
		if got := parseNode(test.id); got != test.want {
			t.Errorf("%q is %+v, want %+v", test.id, got, test.want)
		}
		if got, want := parseNode(test.id).isServer(), strings.HasPrefix(test.id, "server"); got != want {
			t.Errorf("%q is a server: %t", test.id, got)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"1560954012838 38:Y7bysd:O0ETfc 0", "1560954012838 38:Y7bysd:O0ETfc 0"},
		{"-5 uuid 12", "-5 uuid 12"},
		{"1795289409605.5 50:u1:t 0", "1795289409605.5 50:u1:t 0"},
		{"1.5e3 a 1e2", "1500 a 100"},
		{"0 a 1.25", "0 a 1.25"},
		{"1.0 a -0", "1 a 0"},
		{"", ""},
		{"1 a", ""},
		{"1  0", ""},
		{"1 a b", ""},
		{"1 a 0 0", ""},
		{"x a 0", ""},
		{"1 a\tb 0", ""},
		{"9007199254741 a 0", ""},
		{"1 " + strings.Repeat("a", maxNode+1) + " 0", ""},
	}
	for _, test := range tests {
		got := ""
		if id, ok := parseID(test.text); ok {
			got = id.String()
		}
		if got != test.want {
			t.Errorf("%q is %q, want %q", test.text, got, test.want)
		}
	}
}

// An id that is made is never made again: not by another step, nor at another place of one, nor on
// another node; and it stands beside those that clients are told outcomes with.
func TestFreshIDs(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for id := range 20_000 {
		c := freshCounter(hashOf(strconv.Itoa(1_000_000_000_000_000_000 + id)))
		if n, err := strconv.ParseUint(c, 10, 53); err != nil || n < firstFresh || seen[c] {
			t.Fatalf("%d: %s again, or out of bounds", id, c)
		}
		seen[c] = true
	}
}

// What crosses from other protocols is an action of this server.
func TestEncode(t *testing.T) {
	t.Parallel()
	p := New()
	f, err := p.Encode(sdk.Message{Type: `news "x"`, Payload: sdk.JSON(`{"n":12345678901234567890}`), ID: "7", Time: begin})
	if err != nil {
		t.Fatal(err)
	}
	const start = `["sync",0,{"type":"news \"x\"","payload":{"n":12345678901234567890}},{"id":[`
	if !strings.HasPrefix(string(f.Data), start) || !strings.HasSuffix(string(f.Data), `],"time":}]`) {
		t.Errorf("got %s", f.Data)
	}
	for _, s := range f.Slots {
		if s.Number != begin.UnixMilli() || s.Minus != baseVariable {
			t.Errorf("slot %+v", s)
		}
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	p := New()
	tests := []struct {
		name, id, time, subprotocol string
		want                        []string
	}{
		{"of a client", "1000 38:x:y 0", "1000", "", []string{`["sync",0,A,{"id":[<1000>,"38:x:y",0],"time":<1000>}]`}},
		{"with a subprotocol", "1000 38:x:y 3", "900", "1.1.0", []string{
			`["sync",0,A,{"id":[<1000>,"38:x:y",3],"time":<900>,"subprotocol":"1.1.0"}]`,
			`5 ["sync",0,A,{"id":[<1000>,"38:x:y",3],"time":<900>,"subprotocol":1}]`,
		}},
		{"with one that is no version", "1000 38:x:y 3", "900", "abc", []string{
			`["sync",0,A,{"id":[<1000>,"38:x:y",3],"time":<900>,"subprotocol":"abc"}]`,
			`5 ["sync",0,A,{"id":[<1000>,"38:x:y",3],"time":<900>}]`,
		}},
		{"of this server", "1000 " + p.node + " 0", "1000", "", []string{`["sync",0,A,{"id":<1000>,"time":<1000>}]`}},
		{"of this server, the second", "1000 " + p.node + " 1", "1000", "", []string{`["sync",0,A,{"id":[<1000>,1],"time":<1000>}]`}},
		{"of another server", "1000 server:other 0", "1000", "", []string{`["sync",0,A,{"id":[<1000>,"server:other",0],"time":<1000>}]`}},
		{"fractions", "1000.25 38:x:y 0", "0.5", "", []string{`["sync",0,A,{"id":[<1000250 exact>e-3,"38:x:y",0],"time":<500 exact>e-3}]`}},
		{"a name to escape", "1000 3\"8:x:y 0", "1", "", []string{`["sync",0,A,{"id":[<1000>,"3\"8:x:y",0],"time":<1>}]`}},
	}
	for _, test := range tests {
		id, _ := parseID(test.id)
		at, _ := parseMoment([]byte(test.time))
		var got []string
		for _, f := range p.frames(&outgoing{[]byte("A"), id, at, test.subprotocol}) {
			text := string(f.Data)
			for _, s := range slices.Backward(f.Slots) {
				exact := ""
				if s.Minus == exactVariable {
					exact = " exact"
				}
				text = text[:s.At] + "<" + strconv.FormatInt(s.Number, 10) + exact + ">" + text[s.At:]
			}
			if f.Variant != "" {
				text = f.Variant + " " + text
			}
			got = append(got, text)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestPublications(t *testing.T) {
	t.Parallel()
	p := New()
	const author = "1000 38:x:y 0"
	tests := []struct {
		name, id string
		to       logux.Addressees
		exclude  []string
		want     string
	}{
		{"nobody", author, logux.Addressees{}, nil, ""},
		{"channels", author, logux.Addressees{Channels: []string{"a", "b"}}, nil, "a,b but $client/38:x with a message"},
		{"users", author, logux.Addressees{Users: []string{"1"}}, []string{"1:z"}, "$user/1 but $client/1:z,$client/38:x"},
		{"names", author, logux.Addressees{Clients: []string{"38:x"}, Nodes: []string{"1:2:3"}}, []string{"9:9"}, "$node/1:2:3,$client/38:x but $client/9:9"},
		{
			"all", author,
			logux.Addressees{Channels: []string{"a"}, Users: []string{"1"}, Clients: []string{"1:c"}, Nodes: []string{"1:c:n"}},
			[]string{"2:d"},
			"$node/1:c:n,$client/1:c but $client/2:d; a,$user/1 but $client/2:d,$node/1:c:n,$client/1:c,$client/38:x with a message",
		},
		{
			"all, of a server", "1000 server:x 0",
			logux.Addressees{Channels: []string{"a"}, Clients: []string{"1:c"}},
			[]string{"2:d"},
			"$client/1:c,a but $client/2:d with a message",
		},
		{"what cannot be a name", author, logux.Addressees{Channels: []string{"", "a b", "$client/1:c"}, Users: []string{"a\tb"}, Clients: []string{strings.Repeat("x", 300)}}, nil, ""},
	}
	for _, test := range tests {
		id, _ := parseID(test.id)
		o := outgoing{action: []byte(`{"type":"a"}`), id: id, time: id.ms}
		var got []string
		for _, pub := range p.publications(&o, &test.to, test.exclude, messageOf(o.action)) {
			text := strings.Join(pub.Channels, ",")
			if len(pub.ExceptChannels) > 0 {
				text += " but " + strings.Join(pub.ExceptChannels, ",")
			}
			if pub.Message != nil && slices.ContainsFunc(pub.Channels, func(c string) bool { return c[0] != '$' }) {
				text += " with a message"
			}
			got = append(got, text)
		}
		if text := strings.Join(got, "; "); text != test.want {
			t.Errorf("%s: got %s, want %s", test.name, text, test.want)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	tests := []struct{ action, typ, payload string }{
		{`{"type":"a","payload":{"b":1}}`, "a", `{"b":1}`},
		{`{"payload":null,"type":"a"}`, "a", `null`},
		{`{"type":"a","payload":{"b":1},"z":2}`, "a", `{"payload":{"b":1},"z":2}`},
		{`{"z":12345678901234567890, "type":"a"}`, "a", `{"z":12345678901234567890}`},
		{`{"type":"a"}`, "a", `{}`},
		{`{"type":"a\"b"}`, `a"b`, `{}`},
	}
	for _, test := range tests {
		m := messageOf([]byte(test.action))
		if m.Type != test.typ || string(m.Payload) != test.payload {
			t.Errorf("%s is %q %s", test.action, m.Type, m.Payload)
		}
	}
}

func TestMetas(t *testing.T) {
	t.Parallel()
	good := []struct{ raw, want string }{
		{`{}`, ""},
		{`{"id":"1000 a:b 0"}`, "id 1000 a:b 0 time 1000"},
		{`{"id":"1000 a:b 0","time":5}`, "id 1000 a:b 0 time 5"},
		{`{"id":"1560954012838 server:rails 0","time":"1560954012838"}`, "id 1560954012838 server:rails 0 time 1560954012838"},
		{`{"time":7}`, "time 7"},
		{`{"channels":["a","b"],"channel":"c","users":["1",2],"user":3,"clients":[],"client":"1:2","nodes":["1:2:3"],"node":"n","excludeClients":["4:5"]}`, "[a b c] [1 2 3] [1:2] [1:2:3 n] [4:5]"},
		{`{"status":"processed","reasons":["x"],"unknown":{"a":1},"subprotocol":"1.0.0"}`, ""},
	}
	for _, test := range good {
		m, err := parseMeta([]byte(test.raw))
		var got []string
		if m.hasID {
			got = append(got, "id "+m.id.String())
		}
		if m.hasID || m.hasTime {
			got = append(got, "time "+string(m.time.append(nil)))
		}
		if !m.to.Empty() {
			for _, list := range [][]string{m.to.Channels, m.to.Users, m.to.Clients, m.to.Nodes, m.exclude} {
				got = append(got, "["+strings.Join(list, " ")+"]")
			}
		}
		if text := strings.Join(got, " "); err != nil || text != test.want {
			t.Errorf("%s is %s, %v, want %s", test.raw, text, err, test.want)
		}
	}
	for _, bad := range []string{
		`[]`, `null`, `"x"`, `{"id":5}`, `{"id":"x"}`, `{"time":"x"}`, `{"time":null}`, `{"channels":"a"}`, `{"channels":[null]}`, `{"users":[{}]}`,
		`{"client":["a"]}`, `{"reasons":"x"}`, `{"excludeClients":{}}`, `{"subprotocol":null}`,
	} {
		if _, err := parseMeta([]byte(bad)); err == nil {
			t.Errorf("%s is taken for a meta", bad)
		}
	}
}

func FuzzID(f *testing.F) {
	for _, seed := range []string{"1560954012838 38:Y7bysd:O0ETfc 0", "-1.5e3 a 1e2", "1  0", "0.0001 a 0.0001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := parseID(text)
		if !ok {
			return
		}
		again, ok := parseID(id.String())
		if !ok || again != id {
			t.Errorf("%q is %q, and that %q", text, id.String(), again.String())
		}
	})
}
