package sdk_test

import (
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestSelectWhere(t *testing.T) {
	yes := true
	test := func(t sdk.Test) sdk.Where { return sdk.Where{Test: &t} }
	no := test(sdk.Test{Path: "/d", Exists: new(bool)})
	tests := []struct {
		name  string
		where *sdk.Where
		want  string
	}{
		{"none", nil, "call t select users=38 authenticated"},
		{"empty", &sdk.Where{}, "call t select users=38 authenticated where="},
		{"all of it", &sdk.Where{
			All: []sdk.Where{test(sdk.Test{Path: "/a", Equals: sdk.JSON("1463786910324359168")}), test(sdk.Test{Path: "/b", Contains: sdk.JSON(`"x"`)})},
			Any: []sdk.Where{test(sdk.Test{Path: "/c", In: [][]byte{[]byte("1"), []byte(`"2"`)}}), test(sdk.Test{In: [][]byte{}})},
			Not: &no, Test: &sdk.Test{Path: "/e", Exists: &yes},
		}, `call t select users=38 authenticated where=all(/a equals 1463786910324359168) all(/b contains "x") ` +
			`any(/c in [1 "2"]) any( in []) not(/d exists false) /e exists true`},
		{"no test", &sdk.Where{Test: &sdk.Test{}}, "close 1011 internal error"},
		{"bad path", &sdk.Where{Test: &sdk.Test{Path: "a", Exists: &yes}}, "close 1011 internal error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := verbs(map[string]func(*sdk.Session[struct{}], string) error{"do": func(s *sdk.Session[struct{}], _ string) error {
				s.Call(sdk.Call{Tag: "t", Target: sdk.Select{UserIDs: []string{"38"}, Authenticated: true, Where: tt.where}})
				return nil
			}})
			check(t, plugintest.Step(t, p, plugintest.Text("do")), strings.TrimSpace(tt.want))
		})
	}
}

func TestCheckWhere(t *testing.T) {
	if err := sdk.CheckWhere(nil); err != nil {
		t.Errorf("no condition is refused: %v", err)
	}
	bad := sdk.Where{Any: []sdk.Where{{Test: &sdk.Test{Path: "/a", Equals: []byte("oops")}}}}
	if err := sdk.CheckWhere(&bad); err == nil || !strings.Contains(err.Error(), `path "/a": equals is not JSON`) {
		t.Errorf("got %v", err)
	}
}
