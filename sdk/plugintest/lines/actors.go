package lines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/sdk"
)

// takenOver is the code with which TAKE closes who holds a name.
const takenOver = 4001

// lateCell is where an actor keeps what came when there was nobody to be told.
const lateCell = "late"

// shared has the verbs that sessions and named actors have alike. known says that it was one.
func shared(s *sdk.Session[State], data []byte) (known bool, err error) {
	verb, rest, _ := bytes.Cut(data, []byte(" "))
	first, text, _ := strings.Cut(string(rest), " ")
	switch string(verb) {
	case "CALL":
		order, question, _ := strings.Cut(text, " ")
		if !json.Valid([]byte(question)) {
			return true, sdk.Reject("not JSON", sdk.KeepOpen)
		}
		s.Call(sdk.Call{Tag: first, Order: order, Target: sdk.Ask{Type: "call", Payload: sdk.JSON(question)}})
	case "DETACH":
		s.Detach(first)
	case "CANCEL":
		s.Cancel(first)
	case "TELL":
		s.Tell(first, []byte(text))
	case "WAKE":
		s.Timer("wake", millis(rest))
	case "LATE":
		s.Text("late" + string(s.Get(lateCell)))
		s.Delete(lateCell)
	case "OWN":
		s.Join("$" + first)
		s.Text("OK")
	case "EXCEPT":
		except, text, _ := strings.Cut(text, " ")
		s.PublishAs(sdk.Publication{
			Channels: []string{first}, ExceptChannels: []string{"$" + except}, Frames: []sdk.OutFrame{{Data: []byte(text)}},
		})
	case "COUNTED":
		s.Call(sdk.Call{Tag: "counted", Target: sdk.Counted{
			Channels: []string{"$" + first, "beside"}, Message: &sdk.Message{Type: "lines/counted", Payload: sdk.JSON("1")},
			Frames: []sdk.OutFrame{{Data: []byte(text)}},
		}})
	default:
		return asking(s, string(verb), first, text)
	}
	return true, nil
}

// asking has the verbs of shared that ask somebody in a way of their own.
func asking(s *sdk.Session[State], verb, first, text string) (known bool, err error) {
	switch verb {
	case "PUSH":
		s.Call(sdk.Call{Tag: "push", Target: sdk.Ask{Type: first, Payload: sdk.JSON(text), Push: true}})
	case "COMMAND":
		s.Call(sdk.Call{Tag: "command", Target: sdk.Ask{Raw: []byte(first), Together: true}})
	case "VOUCH":
		s.Call(sdk.Call{Tag: "vouch", Target: sdk.Authenticate{
			OnBehalf: true, UserID: first, Token: text, HasToken: true, Cookies: []sdk.Header{{Name: "token", Value: text}},
		}})
	case "HOLD":
		s.Claim("hold", first, nil)
	case "TAKE":
		s.Claim("take", first, &sdk.CloseCode{Code: takenOver, Reason: "taken over"})
		s.Bind(text)
	default:
		return ordering(s, verb, first, text), nil
	}
	return true, nil
}

// ordering has the verbs of shared that are about an order.
func ordering(s *sdk.Session[State], verb, first, text string) (known bool) {
	number, text, _ := strings.Cut(text, " ")
	place := sdk.Order{Key: first}
	place.Number, _ = strconv.ParseUint(number, 10, 64) // a test that means no number means 0
	switch verb {
	case "NEXT":
		s.PublishAs(sdk.Publication{
			Channels: []string{first}, Order: place,
			Frames: []sdk.OutFrame{{Data: []byte(text)}}, Then: [][]sdk.OutFrame{{{Data: []byte(text + ", then")}}},
		})
	case "KNOW":
		s.SendTold([]byte(text), place)
	case "TOLD":
		s.Call(sdk.Call{Tag: "told", Target: sdk.Select{Channel: first, Action: sdk.Action{Told: place}}})
	default:
		return false
	}
	return true
}

// answered tells the session that asked, or keeps it where that has gone.
func answered(s *sdk.Session[State], a sdk.Answer) {
	text := a.Tag + " "
	switch {
	case a.Tag == "answer":
		s.Text(a.TextOr("back-end unavailable"))
		return
	case a.Tag == "counted", a.Tag == "told":
		text += fmt.Sprint(a.Count)
		if a.Failed > 0 {
			text += fmt.Sprintf(", %d failed", a.Failed)
		}
	case a.Raw != nil:
		text += string(a.Raw)
	case a.Identity != nil:
		me := "nobody"
		if id := s.Identity(); id != nil {
			me = id.UserID
		}
		text += fmt.Sprintf("%s of %s, I am %s", a.Identity.UserID, a.Subprotocol, me)
	case a.Payload != nil:
		text += string(a.Payload)
	case a.Last:
		text += fmt.Sprint(a.Outcome)
	}
	if a.Last {
		text += "."
	}
	say(s, text)
}

// say tells the event's session, or keeps it for who says LATE.
func say(s *sdk.Session[State], text string) {
	if s.ID() == 0 {
		keep(s, text)
		return
	}
	s.Text(text)
}

func keep(s *sdk.Session[State], text string) {
	s.Put(lateCell, append(append(bytes.Clone(s.Get(lateCell)), " | "...), text...))
}

// woken is the timer of WAKE.
func woken(s *sdk.Session[State]) { say(s, "woken") }

// told tells all sessions of a named actor what it was told.
func told(s *sdk.Session[State], e sdk.Told) {
	text := fmt.Sprintf("%s told %s", s.Key(), e.Data)
	some := false
	for to := range s.Sessions() {
		to.Text(text)
		some = true
	}
	if !some {
		say(s, text)
	}
}

func millis(text []byte) time.Duration {
	var n int64
	_, _ = fmt.Sscan(string(text), &n) // a test that means no number means none
	return time.Duration(n) * time.Millisecond
}
