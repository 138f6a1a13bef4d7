package mesh

import (
	"errors"
	"slices"
	"time"

	"github.com/protocol-bridge/bridge/sdk"
)

// RouteConfig is the `config` block of a route.
type RouteConfig struct {
	APIServer string `bridge:"api_server" doc:"host:port at which back-ends reach this node's API, for /v1/nodes; without it the one that they asked at, and other nodes do not list this one" example:"\"10.0.0.5:6789\""`

	Topic        sdk.Expr `bridge:"topic,vars=payload|user|claims|request|session|context" doc:"where a frame of an end user goes; null: nowhere. payload is the frame where that is JSON, else null" example:"\"inbox\""`
	Frames       []string `bridge:"frames,default=text" doc:"kinds of frames that go to the topic: text, binary"`
	OnOtherFrame string   `bridge:"on_other_frame,default=ignore,oneof=ignore|close" doc:"what becomes of a frame of another kind: nothing, or its sender is closed with 1003"`
	Event        bool     `bridge:"event,default=false" doc:"say in the data which event it is, and have handshake and close go to the topic as well"`
	ContextKeys  []string `bridge:"context_keys" doc:"keys of the context that are copied into the data"`
	HeadersOn    []string `bridge:"headers_on" doc:"events that have the headers of the handshake in their data: handshake, message, close"`
	OnFull       string   `bridge:"on_full,default=close,oneof=close|drop" doc:"what becomes of a frame that the queue refuses: its sender is closed with 1013, or it is lost"`

	PauseWhen    sdk.Expr      `bridge:"pause_when,vars=payload|user|claims|request|session|context" doc:"behind a frame for which this is true, further frames are held" example:"payload.op == \"auth\""`
	PauseUntil   string        `bridge:"pause_until" doc:"key of the context whose setting, to any value, lets the held frames go on"`
	PauseTimeout time.Duration `bridge:"pause_timeout,default=10s" doc:"time for that; then the end user is closed with 1008"`

	topic  string // where it is the same for all
	always bool
}

// Names of events.
const (
	eventHandshake = "handshake"
	eventMessage   = "message"
	eventClose     = "close"
)

// Kinds of frames.
const (
	frameText   = "text"
	frameBinary = "binary"
)

// Validate implements spec.Validator.
func (c *RouteConfig) Validate() error {
	var errs []error
	complain := func(attribute, text string) {
		errs = append(errs, &sdk.Complaint{Attribute: attribute, Text: text})
	}
	for _, kind := range c.Frames {
		if kind != frameText && kind != frameBinary {
			complain("frames", `Frames are "text" or "binary".`)
		}
	}
	for _, name := range c.HeadersOn {
		if name != eventHandshake && name != eventMessage && name != eventClose {
			complain("headers_on", `Events are "handshake", "message" and "close".`)
		}
	}
	for _, key := range c.ContextKeys {
		if key == "" || slices.Contains([]string{"event", "frame", "headers"}, key) {
			complain("context_keys", `A key is not empty, and not "event", "frame" or "headers", which the data has itself.`)
		}
	}
	switch {
	case c.PauseWhen.Given() != (c.PauseUntil != ""):
		complain("pause_when", `"pause_when" and "pause_until" go together.`)
	case c.PauseTimeout <= 0:
		complain("pause_timeout", "It must be longer than nothing.")
	}
	return errors.Join(errs...)
}

// prepare evaluates what is the same for all frames.
func (c *RouteConfig) prepare() (err error) {
	if len(c.Topic.Needs()) == 0 {
		c.topic, err = topicOf(c.Topic, nil)
		c.always = err == nil
	}
	return err
}

func configOf(s *session) *RouteConfig { return sdk.RouteConfig[RouteConfig](s) }
