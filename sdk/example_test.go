package sdk_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/protocol-bridge/bridge/sdk"
)

// LinesConfig is the plugin-wide `config` block.
type LinesConfig struct {
	Greeting string `bridge:"greeting,default=hello" doc:"first line sent to a client"`
}

// LinesState is encoded by the SDK into a state cell.
type LinesState struct{ N int }

// Lines is a line protocol: `SUB x`, `PUB x json`, `ASK json`, `COUNT`; one minute of silence closes
// the connection.
type Lines struct{ cfg LinesConfig }

// Describe implements sdk.Plugin.
func (p *Lines) Describe() sdk.Info {
	return sdk.Info{
		Name: "lines", Version: "1.0.0", StateVersion: 1, Config: &p.cfg,
		Owns: []string{"lines/"}, Reserved: []string{"lines/error"},
	}
}

// Step implements sdk.Plugin.
func (p *Lines) Step(s *sdk.Session[LinesState], ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Opened:
		s.Text(p.cfg.Greeting)
		s.Timer("idle", time.Minute) // the core's: survives the plugin
	case sdk.Timer:
		s.Close(sdk.CloseIdle)
	case sdk.Frame: // e.Data is the plugin's until Step returns
		s.Timer("idle", time.Minute)
		s.State.N++
		verb, rest, _ := bytes.Cut(e.Data, []byte(" "))
		switch string(verb) {
		case "SUB":
			s.Join(string(rest))
		case "PUB":
			channel, payload, _ := bytes.Cut(rest, []byte(" "))
			s.Publish(sdk.Message{Type: "lines/said", Payload: sdk.JSON(payload)}, string(channel))
		case "ASK":
			s.Ask("answer", sdk.JSON(rest)) // the route's upstream, whatever its kind; the answer is an event
		case "COUNT":
			s.Textf("%d", s.State.N)
		default:
			return sdk.Reject("unknown command", sdk.KeepOpen)
		}
	case sdk.Answer:
		s.Text(e.TextOr("back-end unavailable"))
	}
	return nil
}

// Encode gives a message of another protocol this protocol's form, once for all receivers.
func (p *Lines) Encode(m sdk.Message) (sdk.OutFrame, error) {
	return sdk.TextFrame(m.Channel, m.Payload), nil
}

// A whole plugin. Its main is sdk.Main(&Lines{}); here it only says what it is.
func Example() {
	server, err := sdk.NewServer(&Lines{})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := server.Describe(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range d.GetConfig() {
		fmt.Printf("%s: %s (default %s)\n", f.GetName(), f.GetDoc(), f.GetDefaultJson())
	}
	// Output: greeting: first line sent to a client (default "hello")
}
