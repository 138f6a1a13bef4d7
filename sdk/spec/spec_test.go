package spec_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/internal/redact"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/spec"
)

type mode string

type all struct {
	Name     string            `bridge:"name,default=x" doc:"a name" example:"\"y\""`
	Mode     mode              `bridge:"mode,default=a,oneof=a|b|c"`
	Key      redact.Secret     `bridge:"key"`
	Keys     []redact.Secret   `bridge:"keys,from=upstream.secret"`
	Password string            `bridge:"password,secret"`
	On       bool              `bridge:"on,default=true"`
	Count    int               `bridge:"count,default=-3"`
	Small    int8              `bridge:"small"`
	Port     uint16            `bridge:"port,default=80"`
	Ratio    float64           `bridge:"ratio,default=0.5"`
	Wait     time.Duration     `bridge:"wait,default=1m30s"`
	Size     spec.Size         `bridge:"size,default=1MiB"`
	List     []string          `bridge:"list" default:"a|b,c"`
	Map      map[string]string `bridge:"map,default=k=v|l=w"`
	Token    spec.Expr         `bridge:"token,default=payload.token,vars=payload"`
	ignored  int               //nolint:unused // is passed over
	Free     int
	embedded
}

type embedded struct {
	Inner string `bridge:"inner,required"`
}

func TestFields(t *testing.T) {
	fields, err := spec.Fields(new(all))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"name":"name","type":"FIELD_TYPE_STRING","defaultJson":"\"x\"","doc":"a name","example":"\"y\""}`,
		`{"name":"mode","type":"FIELD_TYPE_STRING","defaultJson":"\"a\"","oneOf":["a","b","c"]}`,
		`{"name":"key","type":"FIELD_TYPE_STRING","secret":true}`,
		`{"name":"keys","type":"FIELD_TYPE_STRING_LIST","secret":true,"defaultFrom":"upstream.secret"}`,
		`{"name":"password","type":"FIELD_TYPE_STRING","secret":true}`,
		`{"name":"on","type":"FIELD_TYPE_BOOL","defaultJson":"true"}`,
		`{"name":"count","type":"FIELD_TYPE_INT","defaultJson":"-3"}`,
		`{"name":"small","type":"FIELD_TYPE_INT"}`,
		`{"name":"port","type":"FIELD_TYPE_INT","defaultJson":"80"}`,
		`{"name":"ratio","type":"FIELD_TYPE_NUMBER","defaultJson":"0.5"}`,
		`{"name":"wait","type":"FIELD_TYPE_DURATION","defaultJson":"\"1m30s\""}`,
		`{"name":"size","type":"FIELD_TYPE_SIZE","defaultJson":"1048576"}`,
		`{"name":"list","type":"FIELD_TYPE_STRING_LIST","defaultJson":"[\"a\",\"b,c\"]"}`,
		`{"name":"map","type":"FIELD_TYPE_STRING_MAP","defaultJson":"{\"k\":\"v\",\"l\":\"w\"}"}`,
		`{"name":"token","type":"FIELD_TYPE_EXPRESSION","defaultJson":"\"payload.token\""}`,
		`{"name":"inner","type":"FIELD_TYPE_STRING","required":true}`,
	}
	if len(fields) != len(want) {
		t.Fatalf("%d fields, want %d", len(fields), len(want))
	}
	for i, f := range fields {
		w := new(pluginv1.Field)
		if err := protojson.Unmarshal([]byte(want[i]), w); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(f, w) {
			t.Errorf("field %d\ngot  %s\nwant %s", i, protojson.Format(f), want[i])
		}
	}
}

func TestFieldsOfNothing(t *testing.T) {
	if fields, err := spec.Fields(nil); fields != nil || err != nil {
		t.Errorf("got %v, %v", fields, err)
	}
}

func TestFieldsRefusesTags(t *testing.T) {
	tests := []struct {
		name   string
		config any
		want   string
	}{
		{"no pointer", struct{}{}, "want a pointer to a struct"},
		{"no struct", new(int), "want a pointer to a struct"},
		{"name", new(struct {
			A int `bridge:"BadName"`
		}), `attribute name "BadName" is not snake_case`},
		{"no name", new(struct {
			A int `bridge:",required"`
		}), `attribute name "" is not snake_case`},
		{"twice", new(struct {
			A int `bridge:"a"`
			B int `bridge:"a"`
		}), `attribute "a" is declared twice`},
		{"type", new(struct {
			A chan int `bridge:"a"`
		}), "type chan int cannot be configured"},
		{"option", new(struct {
			A int `bridge:"a,requierd"`
		}), `option "requierd" is unknown`},
		{"default of another type", new(struct {
			A int `bridge:"a,default=x"`
		}), `default "x": is not of the field's type`},
		{"default out of range", new(struct {
			A uint8 `bridge:"a,default=256"`
		}), `default "256": The number is out of range.`},
		{"default not allowed", new(struct {
			A string `bridge:"a,default=c,oneof=a|b"`
		}), `It must be "a" or "b".`},
		{"default and required", new(struct {
			A int `bridge:"a,default=1,required"`
		}), "is required and has a default"},
		{"secret with a default", new(struct {
			A redact.Secret `bridge:"a,default=changeme"`
		}), "is a secret and has a default"},
		{"text from elsewhere", new(struct {
			A string `bridge:"a,from=upstream.secret"`
		}), "only a secret comes from elsewhere"},
		{"secret from anywhere", new(struct {
			A redact.Secret `bridge:"a,from=auth.secret"`
		}), "only from upstream.secret"},
		{"expression", new(struct {
			A spec.Expr `bridge:"a,default=nobody.id"`
		}), "nobody"},
		{"oneof of numbers", new(struct {
			A int `bridge:"a,oneof=1|2"`
		}), "oneof is for strings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := spec.Fields(tt.config); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestDecodeDefaults(t *testing.T) {
	c := &all{Name: "before", Free: 5}
	if err := spec.Decode([]byte(`{"inner":"i","mode":null}`), c); err != nil {
		t.Fatal(err)
	}
	if c.Token.Source() != "payload.token" {
		t.Errorf("token is %q", c.Token.Source())
	}
	c.Token = spec.Expr{}
	want := &all{
		Name: "x", Mode: "a", On: true, Count: -3, Port: 80, Ratio: 0.5, Wait: 90 * time.Second, Size: 1 << 20,
		List: []string{"a", "b,c"}, Map: map[string]string{"k": "v", "l": "w"}, Free: 5, embedded: embedded{"i"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestDecodeValues(t *testing.T) {
	c := new(all)
	err := spec.Decode([]byte(`{"name":"n","mode":"b","key":"k","keys":["new","old"],"password":"p","on":false,"count":9,"small":-128,
		"port":65535,"ratio":2,"wait":"0s","size":7,"list":[],"map":{},"token":"payload.a.b","inner":""}`), c)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok, err := c.Token.Text(spec.Scope{"payload": spec.JSON([]byte(`{"a":{"b":"t"}}`))}); text != "t" || !ok || err != nil {
		t.Errorf("token is %q, %t, %v", text, ok, err)
	}
	c.Token = spec.Expr{}
	want := &all{
		Name: "n", Mode: "b", Key: "k", Keys: []redact.Secret{"new", "old"}, Password: "p", Count: 9, Small: -128, Port: 65535, Ratio: 2, Size: 7,
		List: []string{}, Map: map[string]string{},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestDecodeComplains(t *testing.T) {
	tests := []struct{ attribute, json, want string }{
		{"name", `5`, "It must be a string."},
		{"mode", `"z"`, `It must be "a", "b" or "c".`},
		{"on", `"yes"`, "It must be true or false."},
		{"count", `1.5`, "It must be a whole number."},
		{"count", `99999999999999999999`, "The number is out of range."},
		{"small", `128`, "The number is out of range."},
		{"port", `-1`, "It must not be negative."},
		{"port", `70000`, "The number is out of range."},
		{"ratio", `"x"`, "It must be a number."},
		{"wait", `"soon"`, `It must be a duration, as "3s".`},
		{"wait", `3`, `It must be a duration, as "3s".`},
		{"wait", `"-1s"`, "It must not be negative."},
		{"size", `"1 potato"`, `It must be a size, as "1MiB".`},
		{"size", `-1`, "It must not be negative."},
		{"list", `"a"`, "It must be a list of strings."},
		{"keys", `{}`, "It must be a string or a list of strings."},
		{"keys", `["a",1]`, "It must be a string or a list of strings."},
		{"map", `["a"]`, "It must be a map of strings."},
		{"token", `5`, "It must be a string."},
		{"unheard_of", `5`, "There is no such attribute."},
	}
	for _, tt := range tests {
		t.Run(tt.attribute+" "+tt.json, func(t *testing.T) {
			err := spec.Decode([]byte(`{"inner":"i","`+tt.attribute+`":`+tt.json+`}`), new(all))
			list := spec.Complaints(err)
			if len(list) != 1 || list[0].Attribute != tt.attribute || list[0].Text != tt.want {
				t.Errorf("got %v, want %s: %s", err, tt.attribute, tt.want)
			}
		})
	}
	if list := spec.Complaints(spec.Decode([]byte(`{"name":1,"count":"x"}`), new(all))); len(list) != 3 {
		t.Errorf("want all three faults, got %v", list)
	}
	if list := spec.Complaints(spec.Decode([]byte(`[]`), new(all))); len(list) != 1 || list[0].Attribute != "" {
		t.Errorf("a list is taken for a configuration: %v", list)
	}
}

func TestComplaints(t *testing.T) {
	one := &spec.Complaint{Attribute: "a", Text: "One."}
	got := spec.Complaints(errors.Join(one, errors.Join(errors.New("two"), one), nil))
	if len(got) != 3 || got[0] != one || got[1].Text != "two" || got[2] != one {
		t.Errorf("got %v", got)
	}
	if spec.Complaints(nil) != nil {
		t.Error("no error has a complaint")
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	c := new(all)
	if err := spec.Decode([]byte(`{"key":"hunter2","keys":"hunter2","inner":""}`), c); err != nil {
		t.Fatal(err)
	}
	if text := c.Key.String(); strings.Contains(text, "hunter2") || c.Key.Reveal() != "hunter2" {
		t.Errorf("the secret shows as %s", text)
	}
	if text := fmt.Sprintf("%v %+v", c.Keys, c.Keys); strings.Contains(text, "hunter2") || len(c.Keys) != 1 || c.Keys[0].Reveal() != "hunter2" {
		t.Errorf("the secrets show as %s", text)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"inner":"i","size":"1MiB","wait":"3s","port":-0,"token":"payload"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := spec.Decode(raw, new(all))
		for _, c := range spec.Complaints(err) {
			if c.Text == "" {
				t.Errorf("a complaint without a text about %q", c.Attribute)
			}
		}
	})
}
