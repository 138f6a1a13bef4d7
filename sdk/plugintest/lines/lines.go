// Package lines is a small plugin for tests and stories: a line protocol with a verb for whatever a
// plugin may do or suffer. It keeps nothing but what its verbs say.
//
//	SUB channel         joins
//	PUB channel text    publishes to other members, here as "channel text"
//	ASK json            asks the upstream and answers its reply
//	COUNT               answers how many frames came
//	ECHO text           answers the text
//	STATE text          puts a cell of state and answers what it held before, or "-"
//	TIMER ms            answers "timer" so many ms later
//	BIND key            hands the session to the named actor key, which counts the frames of all its
//	                    sessions: answers "key count" to each
//	LOCAL               answers whether the client is of this machine
//	BIG n               answers n bytes
//	CLOSE code reason   closes
//	CRASH               ends the process with status 3
//	PANIC               panics in the handler
//	BOOM                panics in a goroutine, which ends the process
//	HANG                never returns, until the link ends
//	SLEEP ms            sleeps in the handler and answers "slept"
//
// These are verbs at a named actor too, where all else is a frame to be counted:
//
//	CALL tag order json asks the upstream, in that order, and answers "tag reply."; without the full stop
//	                    when more follows, with the number of the outcome when there is no reply
//	DETACH tag          takes calls out of their order
//	CANCEL tag          cancels calls that wait
//	TELL key text       tells the named actor, which answers "key told text" to each of its sessions
//	WAKE ms             answers "woken" so many ms later
//	LATE                answers what an actor heard when no session of its was there
//	OWN name            joins the private channel $name
//	EXCEPT c x text     publishes the text on c, but not to members of $x
//	COUNTED c text      publishes on $c and "beside", and answers "counted n."
//	PUSH type json      asks the route's other upstream
//	COMMAND json        asks in the upstream's own form, for elements together
//	VOUCH user token    asks who somebody else's client is
//	HOLD name           claims the name, if nobody has it, and answers "hold 1." where it is granted
//	TAKE name key       takes the name from who has it, and hands the session to the actor key
//	NEXT c n text       publishes on c "text" and "text, then", at place n of the order c
//	KNOW c n text       answers text, which tells what order c has up to n
//	TOLD c n            tells all members of c what order c has up to n, without a frame, and answers
//	                    "told m."
//
// On TCP there are two more, and an end of what the client sends is answered with "eof" and the end of
// the session:
//
//	RAW n               takes n raw bytes, 0 for all that come, and answers "raw n checksum"
//	BYTES n             answers n bytes without the end of a line
//
// An HTTP request is answered with method, path and body; below /stream each chunk of its body is
// answered as it comes.
package lines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/sdk"
)

// Config is the plugin-wide configuration.
type Config struct {
	Greeting string        `bridge:"greeting,default=hello" doc:"first line sent to a client; empty for none"`
	Idle     time.Duration `bridge:"idle,default=1m" doc:"silence after which a session is closed"`
}

// State is the state of an actor.
type State struct {
	N int
	// Of raw bytes: how many are to come and have come, and the checksum of those.
	Want, Got uint64 `json:",omitzero"`
	Sum       uint32 `json:",omitzero"`
}

// Lines is the plugin.
type Lines struct{ cfg Config }

var (
	_ sdk.Plugin[State] = (*Lines)(nil)
	_ sdk.Encoder       = (*Lines)(nil)
)

// New returns the plugin.
func New() *Lines { return &Lines{} }

// Describe implements sdk.Plugin.
func (p *Lines) Describe() sdk.Info {
	return sdk.Info{
		Name: "lines", Version: "1.0.0", StateVersion: 1, Config: &p.cfg,
		Roles: []sdk.Role{{
			Auth:       sdk.AuthHandshake,
			Transports: []sdk.Transport{sdk.WebSocket, sdk.HTTP, sdk.TCP},
		}},
		Owns: []string{"lines/"}, Reserved: []string{"lines/error"},
	}
}

// Step implements sdk.Plugin.
func (p *Lines) Step(s *sdk.Session[State], ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Opened:
		if p.cfg.Greeting != "" {
			s.Text(p.cfg.Greeting)
		}
		s.Timer("idle", p.cfg.Idle) // the core's: survives the plugin
	case sdk.Timer:
		switch e.Name {
		case "idle":
			s.Close(sdk.CloseIdle)
		case "wake":
			woken(s)
		default:
			s.Text("timer")
		}
	case sdk.Frame:
		if s.Named() {
			if known, err := shared(s, e.Data); known {
				return err
			}
			s.State.N++
			s.Textf("%s %d", s.Key(), s.State.N)
			return nil
		}
		if s.Info().Transport == sdk.HTTP {
			s.State.N += len(e.Data)
			return nil
		}
		s.Timer("idle", p.cfg.Idle)
		s.State.N++
		if e.Binary && s.Info().Transport == sdk.TCP {
			took(s, e.Data)
			return nil
		}
		if known, err := shared(s, e.Data); known {
			return err
		}
		return p.verb(s, e)
	case sdk.Eof:
		if s.Info().Transport == sdk.TCP {
			ended(s)
		}
		if s.Info().Transport == sdk.HTTP {
			s.Respond(sdk.Response{Body: fmt.Appendf(nil, "%d bytes", s.State.N)})
		}
	case sdk.Request:
		if strings.HasSuffix(s.Info().Path, "/stream") {
			s.Respond(sdk.Response{Body: []byte("begin"), More: true})
			if !e.Streamed {
				s.Respond(sdk.Response{Body: e.Body})
			}
			return nil
		}
		s.Respond(sdk.Response{
			Headers: []sdk.Header{{Name: "content-type", Value: "text/plain; charset=utf-8"}},
			Body:    fmt.Appendf(nil, "%s %s %s", s.Info().Method, s.Info().Path, e.Body),
		})
	case sdk.Bound:
		s.Textf("%s bound", s.Key())
	case sdk.Answer:
		answered(s, e)
	case sdk.Told:
		told(s, e)
	case sdk.Closed:
		if s.Named() && e.Code == takenOver {
			keep(s, "taken over")
		}
	}
	return nil
}

func (p *Lines) verb(s *sdk.Session[State], e sdk.Frame) error {
	verb, rest, _ := bytes.Cut(e.Data, []byte(" "))
	switch string(verb) {
	case "SUB":
		if err := sdk.CheckChannel(string(rest)); err != nil {
			return sdk.Reject(err.Error(), sdk.KeepOpen)
		}
		s.Join(string(rest))
		s.Text("OK")
	case "PUB":
		channel, text, _ := bytes.Cut(rest, []byte(" "))
		if err := sdk.CheckChannel(string(channel)); err != nil {
			return sdk.Reject(err.Error(), sdk.KeepOpen)
		}
		payload, err := json.Marshal(string(text))
		if err != nil {
			return err
		}
		s.Publish(sdk.Message{Type: "lines/said", Payload: payload}, string(channel))
	case "ASK":
		if !json.Valid(rest) {
			return sdk.Reject("not JSON", sdk.KeepOpen)
		}
		s.Ask("answer", sdk.JSON(rest)) // the route's upstream, whatever its kind; the answer is an event
	case "COUNT":
		s.Textf("%d", s.State.N)
	case "ECHO":
		s.Send(rest)
	case "STATE":
		before := s.Get("text")
		if before == nil {
			before = []byte("-")
		}
		s.Send(before)
		s.Put("text", rest)
	case "TIMER":
		s.Timer("timer", millis(rest))
	case "BIND":
		s.Bind(string(rest))
	case "LOCAL":
		s.Textf("local %t", s.Info().Local)
	case "BIG":
		n, err := strconv.Atoi(string(rest))
		if err != nil || n < 0 {
			return sdk.Reject("not a number", sdk.KeepOpen)
		}
		s.Send(bytes.Repeat([]byte("x"), n))
	case "RAW", "BYTES":
		return rawVerb(s, string(verb), rest)
	case "CLOSE":
		code, reason, _ := strings.Cut(string(rest), " ")
		n, err := strconv.Atoi(code)
		if err != nil {
			return sdk.Reject("not a number", sdk.KeepOpen)
		}
		return sdk.CloseWith(sdk.CloseCode{Code: n, Reason: reason})
	default:
		return suffer(s, string(verb), rest)
	}
	return nil
}

// suffer has the verbs that no plugin should have.
func suffer(s *sdk.Session[State], verb string, rest []byte) error {
	switch verb {
	case "CRASH":
		os.Exit(3)
	case "PANIC":
		panic("as asked")
	case "BOOM":
		go func() { panic("as asked") }()
		select {}
	case "HANG":
		<-s.Ctx().Done()
	case "SLEEP":
		time.Sleep(millis(rest))
		s.Text("slept")
	default:
		return sdk.Reject("unknown command", sdk.KeepOpen)
	}
	return nil
}

// Encode implements sdk.Encoder: a text is shown as it is.
func (p *Lines) Encode(m sdk.Message) (sdk.OutFrame, error) {
	var text string
	if json.Unmarshal(m.Payload, &text) == nil {
		return sdk.TextFrame(m.Channel, sdk.JSON(text)), nil
	}
	return sdk.TextFrame(m.Channel, m.Payload), nil
}
