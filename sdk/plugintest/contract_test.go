package plugintest

import (
	"testing"

	"github.com/protocol-bridge/bridge/sdk"
)

// caller tries what the SDK promises of calls, against the host that keeps the promise.
type caller struct{}

type callerState struct{ Asked sdk.CallID }

func (caller) Describe() sdk.Info {
	return sdk.Info{Name: "caller", Version: "1", Roles: []sdk.Role{{Auth: sdk.AuthInBand}}}
}

func (caller) Step(s *sdk.Session[callerState], ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Frame:
		switch verb := string(e.Data); verb {
		case "bind":
			s.Bind("room")
		case "auth":
			s.Call(sdk.Call{Tag: "auth", Target: sdk.Authenticate{}})
		case "act":
			s.Tune("v", nil)
			frames := []sdk.OutFrame{{Data: []byte("for all")}, {Data: []byte("for some"), Variant: "v"}}
			s.Call(sdk.Call{Tag: "act", Target: sdk.Act{Session: s.ID(), Action: sdk.Action{Frames: frames}}})
		default:
			s.Text("asking")
			s.State.Asked = s.Call(sdk.Call{Tag: verb, Target: sdk.Ask{Type: verb, Payload: sdk.JSON("1")}})
		}
	case sdk.Bound:
		s.Text("bound")
	case sdk.Answer:
		switch {
		case e.Tag == "act":
			s.Textf("acted on %d", e.Count)
		case e.Tag == "auth":
			s.Textf("%s of %d", s.Identity().UserID, s.ID())
		case e.Call == s.State.Asked:
			s.Textf("%s of %d", e.TextOr("-"), s.ID())
		default:
			s.Textf("an answer to %+v, want %+v", e.Call, s.State.Asked)
		}
	}
	return nil
}

func TestCalls(t *testing.T) {
	const text = `
> ask
< asking
@ ask ask 1
@ = {"payload":7}
< 7 of 2
> auth
@ authenticate -
@ = {"user":"38"}
< 38 of 2
> act
< for some
< acted on 1
b> bind
b< bound
b> ask
b< asking
@ ask ask 1
@ = {"payload":8}
b< 8 of 3
b> auth
@ authenticate -
@ = {"user":"39"}
b< 39 of 3
`
	launch := memoryOf(func() caller { return caller{} })
	acks, err := playText(t, launch, kill{}, text)
	if err != nil {
		t.Fatal(err)
	}
	for at := 1; at <= acks; at++ {
		for _, after := range []bool{false, true} {
			if _, err := playText(t, launch, kill{at, after}, text); err != nil {
				t.Error(err)
			}
		}
	}
}
