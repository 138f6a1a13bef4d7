package plugintest

import (
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
)

// porter says who comes and how, and has requests select sessions.
type porter struct{}

func (porter) Describe() sdk.Info {
	return sdk.Info{Name: "porter", Version: "1", Roles: []sdk.Role{
		{Auth: sdk.AuthHandshake}, {Name: "api", Auth: sdk.AuthHandshake, Transports: []sdk.Transport{sdk.HTTP}},
	}}
}

func (porter) Step(s *sdk.Session[struct{}], ev sdk.Event) error {
	who := "nobody"
	if id := s.Identity(); id != nil {
		who = id.UserID + string(id.Claims)
	}
	switch e := ev.(type) {
	case sdk.Opened:
		s.Textf("%s on %s in %s", who, s.Route().Path, strings.Join(e.Channels, ","))
	case sdk.Frame:
		s.Call(sdk.Call{Target: sdk.Ask{Purpose: "subscribe", Channel: string(e.Data)}})
	case sdk.Request:
		if s.Route().Role != "api" {
			s.Respond(sdk.Response{Body: []byte(s.Info().Header("x-one") + s.Info().Header("x-two"))})
			return nil
		}
		s.Call(sdk.Call{Target: sdk.Select{
			Authenticated: true, Where: &sdk.Where{Test: &sdk.Test{Path: "/n", Equals: e.Body}},
			Action: sdk.Action{Frames: []sdk.OutFrame{{Data: []byte("selected")}}},
		}})
	case sdk.Answer:
		if s.Info().Method == "POST" {
			s.Respond(sdk.Response{Body: []byte{'0' + byte(e.Count)}})
			return nil
		}
		for _, c := range e.Join {
			s.Join(c)
		}
		s.Textf("join %s, leave %s", strings.Join(e.Join, ","), strings.Join(e.Leave, ","))
	}
	return nil
}

func TestOpening(t *testing.T) {
	config := Config{Route: `{}`, Routes: []*pluginv1.RouteConfig{{Id: Route, Path: "/"}, {Id: "rooms", Path: "/rooms/"}, {Id: "api", Path: "/rooms/api/", Role: "api"}}}
	tests := []struct{ name, text, want string }{
		{"nobody", "! open a\na< nobody on / in\n", ""},
		{"admitted", "! admit a {\"user\":\"38\",\"claims\":{\"n\":1},\"channels\":[\"x\",\"y\"]}\n! open a /rooms/1\na< 38{\"n\":1} on /rooms/ in x,y\n", ""},
		{"admitted without a name", "! admit {\"user\":\"38\"}\n> x\n< 38 on / in\n@ subscribe x\n@ = {\"join\":[\"b\",\"c\"],\"leave\":[\"d\"]}\n< join b,c, leave d\n", ""},
		{"headers", "a>h X-One: 1\na>h x-two:2\na>r GET /\na<r 200 12\n", ""},
		{"selected", `! admit a {"user":"38","claims":{"n":1}}
! admit b {"user":"39","claims":{"n":1.0}}
! admit c {"user":"40"}
! open a
a< 38{"n":1} on / in
! open b
b< 39{"n":1.0} on / in
! open c
c< 40 on / in
! admit r {"user":"41","claims":{"n":1}}
r>r POST /rooms/api/x 1
r<r 200 2
a< selected
b< selected
`, ""},
		{"too late", "! open a\n! admit a {}\na< nobody on / in\n", `client "a" is there already`},
		{"no JSON", "! admit a 38\n", "cannot unmarshal"},
		{"no header", "a>h oops\n", `"oops" is no header`},
		{"header too late", "a>r GET /\na<r 200\na>h a: b\n", "is no header of a request that follows"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := playWith(t, config, memoryOf(func() porter { return porter{} }), kill{}, tt.text)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
