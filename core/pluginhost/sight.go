package pluginhost

import (
	"strconv"
	"time"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Counts are what a plugin has done since it was made. They never fall.
type Counts struct {
	Events      uint64 // acked
	Redelivered uint64 // events given to another instance, as the one before ended with them
	Restarts    uint64 // after deaths
	Untold      uint64 // Told events dropped, as too much of them waited
}

// Counts returns what the plugin has done so far.
func (p *Plugin) Counts() Counts {
	return Counts{Events: p.events.Load(), Redelivered: p.again.Load(), Restarts: p.restarts.Load(), Untold: p.untold.Load()}
}

// handled times the first event of a batch: that costs a look at the clock for each batch rather than
// for each event.
func (in *Instance) handled(e *actor.Event) {
	if in.timed || e.Accepted == 0 {
		return
	}
	in.timed = true
	cfg := &in.plugin.cfg
	cfg.Handled(max(time.Duration(cfg.Clock.Now().UnixNano()-e.Accepted), 0))
}

// noteEvent tells who watches the event's session, if anybody does.
func (a *Actor) noteEvent(e *actor.Event) {
	s := a.session
	if s == nil {
		s = e.Source
	}
	if s != nil && s.Watched() {
		s.Note("event", eventName(e.Kind), max(len(e.Data), e.Size))
	}
}

// noteCommand does so for a command. What is sent the session notes itself, as fan-out comes there too.
func noteCommand(s *session.Session, c *wire.Command) {
	if s != nil && c.Kind != wire.Send && s.Watched() {
		s.Note("command", commandName(c.Kind), len(c.Data))
	}
}

func eventName(k wire.Kind) string {
	return name(k, map[wire.Kind]string{
		wire.Frame: "frame", wire.Answer: "answer", wire.Timer: "timer", wire.Closed: "closed", wire.Opened: "opened",
		wire.Message: "message", wire.Request: "request", wire.Eof: "eof", wire.Bound: "bound", wire.Delivery: "delivery",
		wire.Told: "told", wire.ContextChanged: "context_changed",
	})
}

func commandName(k wire.Kind) string {
	return name(k, map[wire.Kind]string{
		wire.PutState: "put_state", wire.Call: "call", wire.SetTimer: "set_timer", wire.Close: "close",
		wire.DeleteState: "delete_state", wire.Join: "join", wire.Leave: "leave", wire.Publish: "publish", wire.Respond: "respond",
		wire.Bind: "bind", wire.PutContext: "put_context", wire.Cancel: "cancel", wire.Claim: "claim", wire.Release: "release",
		wire.Tune: "tune", wire.Framing: "framing", wire.Push: "push", wire.Consume: "consume",
		wire.Detach: "detach", wire.Tell: "tell", wire.Pause: "pause",
	})
}

func name(k wire.Kind, of map[wire.Kind]string) string {
	if text, ok := of[k]; ok {
		return text
	}
	return "other"
}

// suspectID is what a log line calls the session of an actor: its own id, or that of the session which
// is bound to the actor; from is 0 where none is known.
func suspectID(a *Actor, from uint64) string {
	if a.session != nil {
		from = a.id
	}
	if from == 0 {
		return ""
	}
	return strconv.FormatUint(from, 10)
}
