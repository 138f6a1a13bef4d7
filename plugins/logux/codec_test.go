package logux

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2000)
	tests := []struct{ frame, want string }{
		{`["connect",4,"10:a:b",0]`, `connect 4 10:a:b 0 - -`},
		{` [ "connect" , 5 , "10:a:b" , 7 , { "token" : "t" , "subprotocol" : 3 , "x" : null } ] `, `connect 5 10:a:b 7 t 3`},
		{`["connect",4,"10:a:b",0,{"token":"","subprotocol":"1.0.0"}]`, `connect 4 10:a:b 0  "1.0.0"`},
		{`["connect",4,"uuid",0,{}]`, `connect 4 uuid 0 - -`},
		{`["headers",{"a":"b"}]`, `headers {"a":"b"}`},
		{`["ping",1]`, `ping 1`},
		{`["pong",1.5]`, `pong 1.5`},
		{`["synced",0]`, `synced 0`},
		{`["sync",1]`, `sync 1`},
		{`["sync",2,{"type":"a"},{"id":1,"time":1},{"type":"b"},{"time":1,"id":[1,2]}]`, `sync 2`},
		{`["sync",2,{"type":"a","z":[{}]},{"id":[-1,"1:2:3",2],"time":1,"subprotocol":"x","other":{}}]`, `sync 2`},
		{`["error","wrong-format","x"]`, `error wrong-format`},
		{`["error","wrong-format"]`, `error wrong-format`},
		{`["debug","error","stack"]`, `debug stack`},
		{`["duilian","金木水火土"]`, `duilian`},
		{`["connected",4,"server:a",[1,2]]`, `connected`},
		{`["\u0070ing",1]`, `ping 1`},

		{`nope{`, `["error","wrong-format","nope{"]`},
		{``, `["error","wrong-format",""]`},
		{`[1]`, `["error","wrong-format","[1]"]`},
		{`[]`, `["error","wrong-format","[]"]`},
		{`{}`, `["error","wrong-format","{}"]`},
		{`null`, `["error","wrong-format","null"]`},
		{`"ping"`, `["error","wrong-format","\"ping\""]`},
		{`["hello"]`, `["error","unknown-message","hello"]`},
		{`["hello",null,{}]`, `["error","unknown-message","hello"]`},
		{`["headers",null]`, `["error","wrong-format","[\"headers\",null]"]`},
		{`["headers",[]]`, `["error","wrong-format","[\"headers\",[]]"]`},
		{`["headers"]`, `["error","wrong-format","[\"headers\"]"]`},
		{`["headers",{},1]`, `["error","wrong-format","[\"headers\",{},1]"]`},
		{`["ping"]`, `["error","wrong-format","[\"ping\"]"]`},
		{`["ping","1"]`, `["error","wrong-format","[\"ping\",\"1\"]"]`},
		{`["ping",1,1]`, `["error","wrong-format","[\"ping\",1,1]"]`},
		{`["sync"]`, `["error","wrong-format","[\"sync\"]"]`},
		{`["sync","1"]`, `["error","wrong-format","[\"sync\",\"1\"]"]`},
		{`["sync",1,{"type":"a"}]`, `["error","wrong-format","[\"sync\",1,{\"type\":\"a\"}]"]`},
		{`["sync",1,{"type":1},{"id":1,"time":1}]`, `!`},
		{`["sync",1,{},{"id":1,"time":1}]`, `!`},
		{`["sync",1,null,{"id":1,"time":1}]`, `!`},
		{`["sync",1,{"type":"a"},null]`, `!`},
		{`["sync",1,{"type":"a"},{"id":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"time":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":"1 10:a:b 0","time":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":[1],"time":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":[1,"a b",1],"time":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":[1,1,1],"time":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":[1,"a",1,1],"time":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":["1",1],"time":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":1,"time":"1"}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":1e300,"time":1}]`, `!`},
		{`["sync",1,{"type":"a"},{"id":1,"time":1,"subprotocol":null}]`, `!`},
		{`["connect",4,"10:a:b"]`, `!`},
		{`["connect",4,"10:a:b",0,{},1]`, `!`},
		{`["connect","4","10:a:b",0]`, `!`},
		{`["connect",4,10,0]`, `!`},
		{`["connect",4,"",0]`, `!`},
		{`["connect",4,"a b",0]`, `!`},
		{`["connect",4,"10:a:b","0"]`, `!`},
		{`["connect",4,"10:a:b",0,null]`, `!`},
		{`["connect",4,"10:a:b",0,{"token":5}]`, `!`},
		{`["connect",4,"10:a:b",0,{"subprotocol":{}}]`, `!`},
		{`["error",5]`, `!`},
		{`["error"]`, `!`},
		{`["debug","info","x"]`, `!`},
		{`["debug","error"]`, `!`},
		{`["debug","error",null]`, `!`},
		{`["duilian",5]`, `!`},
		{`["connected"]`, `!`},
		{"[\"ping\",1]\xff", `!`},
		{long, `["error","wrong-format","` + strings.Repeat("é", maxQuoted/2) + `"]`},
	}
	for _, test := range tests {
		m, fault := decode([]byte(test.frame))
		got := describe(&m)
		if fault != nil {
			got = string(fault.append(nil))
			if !json.Valid([]byte(got)) {
				t.Errorf("%s leads to what is no JSON: %s", test.frame, got)
			}
			if test.want == "!" && fault.typ == "wrong-format" {
				continue
			}
		}
		if got != test.want {
			t.Errorf("%.80s is %.80s, want %.80s", test.frame, got, test.want)
		}
	}
}

func describe(m *message) string {
	for name, k := range kinds {
		if k != m.kind {
			continue
		}
		switch k {
		case kindConnect:
			token, subprotocol := "-", "-"
			if m.connect.token != nil {
				token = string(m.connect.token)
			}
			if m.connect.subprotocol != nil {
				subprotocol = string(m.connect.subprotocol)
			}
			return fmt.Sprintf("connect %s %s %s %s %s", m.connect.version, m.connect.node, m.connect.synced, token, subprotocol)
		case kindHeaders:
			return name + " " + string(m.object)
		case kindPing, kindPong, kindSync, kindSynced:
			return name + " " + string(m.added)
		case kindError, kindDebug:
			return name + " " + string(m.text)
		default:
			return name
		}
	}
	return "nothing"
}

// The ids of the reference's examples, and odd ones.
func TestExpandIDs(t *testing.T) {
	t.Parallel()
	conn := connection{1487805099387, "10:FnXaqDxY:1"}
	tests := []struct{ raw, want string }{
		{`10`, "1487805099397 10:FnXaqDxY:1 0"},
		{`[10,3]`, "1487805099397 10:FnXaqDxY:1 3"},
		{`[-10,"server:a",0]`, "1487805099377 server:a 0"},
		{`[-10,"server:a",2]`, "1487805099377 server:a 2"},
		{`[-10,"10:FnXaqDxY:tab2",0]`, "1487805099377 10:FnXaqDxY:tab2 0"},
		{`[-234335128352,"server:rails",0]`, "1253469971035 server:rails 0"},
		{`0.5`, "1487805099387.5 10:FnXaqDxY:1 0"},
		{`[1.0,2.50]`, "1487805099388 10:FnXaqDxY:1 2.5"},
		{`-1487805099388`, "-1 10:FnXaqDxY:1 0"},
	}
	for _, test := range tests {
		id, ok := expandID([]byte(test.raw), conn)
		if got := id.String(); !ok || got != test.want {
			t.Errorf("%s is %q %t, want %q", test.raw, got, ok, test.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`["connect",4,"10:a:b",0,{"token":"t","subprotocol":3}]`, `["sync",2,{"type":"a"},{"id":1,"time":1},{"type":"b"},{"time":1.5,"id":[1,"a:b",2]}]`,
		`["headers",{"a":"b"}]`, `["ping",1]`, `["error","x",{}]`, `["sync",1,{"type":"a"}]`, `nope{`, `["hello"]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, fault := decode(frame)
		if fault != nil {
			if b := fault.append(nil); !json.Valid(b) {
				t.Errorf("%q leads to %s", frame, b)
			}
			return
		}
		if m.kind != kindSync {
			return
		}
		// What was accepted is read on, in whatever relation, and what is made of it is JSON.
		fr := waitingFrame(m.pairs)
		fr.each(0, func(e *entry) bool {
			if b := e.command(nil); !rawjson.Valid(b) {
				t.Errorf("%q leads to the command %s", frame, b)
			}
			return true
		})
	})
}

func waitingFrame(pairs []byte) *waiting {
	return &waiting{conn: connection{1487805099387, "10:a:b"}, subprotocol: "1.0.0", pairs: pairs}
}

func FuzzMeta(f *testing.F) {
	f.Add([]byte(`{"id":"1000 a:b 0","time":"5","channels":["a"],"user":38,"excludeClients":["x"]}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if rawjson.Valid(raw) {
			_, _ = parseMeta(raw)
		}
	})
}
