package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
)

// Shout is the plugin. It holds nothing: what must not be lost is the core's.
type Shout struct{}

var (
	_ sdk.Plugin[State]      = Shout{}
	_ sdk.Encoder            = Shout{}
	_ sdk.Rejecter           = Shout{}
	_ sdk.StateReader[State] = Shout{}
)

// Channels of rooms, and types of messages. Other protocols see what is said, but not who is here.
const (
	roomPrefix = "shout/"
	typeSaid   = "shout/said"
	typeHere   = "shout/here"
	typeAsk    = "shout/ask"
)

// Names of timers, and tags of calls.
const (
	idleTimer = "idle"
	helloTag  = "hello"
	askTag    = "ask"
)

// maxRooms bounds what a client can make its state grow to.
const maxRooms = 16

// Describe implements sdk.Plugin.
func (Shout) Describe() sdk.Info {
	return sdk.Info{
		Name:         "shout",
		Version:      "1.1.0",
		StateVersion: 2,
		ReadsState:   []uint32{1},
		Roles:        []sdk.Role{{Doc: "clients", Auth: sdk.AuthInBand}},
		Owns:         []string{roomPrefix},
		Reserved:     []string{typeHere},
		RouteConfig:  new(RouteConfig),
	}
}

// Step implements sdk.Plugin. Events that it does not know are none of its business.
func (Shout) Step(s *session, ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Opened:
		s.Text(config(s).Greeting)
		s.Timer(idleTimer, config(s).Idle)
	case sdk.Frame:
		s.Timer(idleTimer, config(s).Idle) // moved: the minute begins anew
		return command(s, e)
	case sdk.Answer:
		if e.Tag == helloTag {
			return welcome(s, e)
		}
		return answered(s, e)
	case sdk.Timer:
		s.Close(sdk.CloseIdle)
	}
	return nil
}

func command(s *session, f sdk.Frame) error {
	if f.Binary {
		return sdk.CloseWith(sdk.CloseUnsupported)
	}
	verb, rest, _ := strings.Cut(string(f.Data), " ")
	switch {
	case verb == "HELLO":
		return hello(s, rest)
	case s.Identity() == nil:
		return sdk.Reject("say HELLO first")
	}
	return accepted(s, verb, rest)
}

func accepted(s *session, verb, rest string) error {
	s.State.Count++
	switch verb {
	case "JOIN":
		return join(s, rest)
	case "SHOUT":
		return shout(s, rest)
	case "ASK":
		return ask(s, rest)
	case "COUNT":
		s.Textf("OK %d", s.State.Count)
		return nil
	}
	return refuse("unknown command")
}

// refuse answers ERR. The command is as if it had not come.
func refuse(text string) error { return sdk.Reject(text, sdk.KeepOpen) }

// Rejection implements sdk.Rejecter.
func (Shout) Rejection(text string) sdk.OutFrame { return line("ERR %s", text) }

func line(format string, args ...any) sdk.OutFrame {
	return sdk.OutFrame{Data: fmt.Appendf(nil, format, args...)}
}

// hello asks the route's auth backend; welcome is called with what it says.
func hello(s *session, token string) error {
	if s.State.Met {
		return refuse("HELLO was said")
	}
	s.State.Met = true
	s.Call(sdk.Call{Tag: helloTag, Target: sdk.Authenticate{Token: token, HasToken: token != ""}})
	return nil
}

func welcome(s *session, a sdk.Answer) error {
	switch a.Outcome {
	case sdk.OutcomeOK:
	case sdk.OutcomeDenied:
		return sdk.Reject("not welcome")
	default:
		return sdk.CloseWith(sdk.CloseCode{Code: 1013, Reason: "try again later"})
	}
	name := config(s).Name
	text, ok, err := name.Text(s.Scope(name, nil))
	if err != nil {
		return fmt.Errorf("evaluate name: %w", err)
	}
	if !ok {
		text = a.Identity.UserID
	}
	s.State.Name = text
	for _, channel := range a.Channels { // the route's
		s.Join(channel)
	}
	s.Textf("OK %s", text)
	return nil
}

func join(s *session, room string) error {
	channel := roomPrefix + room
	if err := sdk.CheckChannel(channel); err != nil {
		return refuse(err.Error())
	}
	switch {
	case room == "":
		return refuse("which room?")
	case slices.Contains(s.State.Rooms, channel):
		s.Text("OK")
		return nil
	case len(s.State.Rooms) == maxRooms:
		return refuse("too many rooms")
	}
	s.State.Rooms = append(s.State.Rooms, channel)
	s.Join(channel)
	s.Text("OK")
	return publish(s, typeHere, Said{By: s.State.Name}, channel)
}

func shout(s *session, text string) error {
	if len(s.State.Rooms) == 0 {
		return refuse("JOIN a room first")
	}
	s.Text("OK")
	return publish(s, typeSaid, Said{By: s.State.Name, Text: strings.ToUpper(text)}, s.State.Rooms...)
}

// Said is the payload of what clients say, as other protocols get it.
type Said struct {
	By   string `json:"by"`
	Text string `json:"text,omitempty"`
}

func publish(s *session, typ string, said Said, channels ...string) error {
	payload, err := json.Marshal(said)
	if err != nil {
		return err
	}
	s.Publish(sdk.Message{Type: typ, Payload: payload}, channels...)
	return nil
}

// Encode implements sdk.Encoder: what is published, here or by another protocol, as a line.
func (Shout) Encode(m sdk.Message) (sdk.OutFrame, error) {
	var said Said
	if json.Unmarshal(m.Payload, &said) == nil {
		switch m.Type {
		case typeSaid:
			return line("SAID %s: %s", said.By, said.Text), nil
		case typeHere:
			return line("HERE %s", said.By), nil
		}
	}
	return line("GOT %s %s", m.Type, m.Payload), nil
}

// ask asks the route's upstream, whatever its kind. Calls of one order run one after another, so
// clients get the answers in the order of their questions.
func ask(s *session, question string) error {
	if !json.Valid([]byte(question)) {
		return refuse("not JSON")
	}
	s.Call(sdk.Call{
		Tag: askTag, Order: askTag,
		Target: sdk.Ask{Type: typeAsk, Payload: sdk.JSON(question)},
	})
	return nil
}

// answered is called with each element of the answer.
func answered(s *session, a sdk.Answer) error {
	if a.Last && a.Outcome != sdk.OutcomeOK {
		return refuse(cmp.Or(a.Reason, "the back-end cannot answer"))
	}
	if a.Payload != nil {
		s.Textf("ANSWER %s", a.Payload)
	}
	for _, it := range a.Items {
		if len(it.Channels) > 0 {
			s.Publish(sdk.Message{Type: it.Type, Payload: it.Payload}, it.Channels...)
		}
	}
	if a.Last {
		s.Text("OK")
	}
	return nil
}
