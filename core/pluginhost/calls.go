package pluginhost

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// CallInfo is what a call's execution may know of where it came from.
type CallInfo struct {
	Actor   uint64
	Seq     uint64 // of the event
	Index   int    // of the command in its step; with Actor and Seq the call's identity
	Number  uint64 // rises from call to call of the actor
	Time    int64  // of the event, ms since 1970
	Route   string // id of the route
	Session *session.Session
}

// call is one call from the step that made it to its last answer.
type call struct {
	info  CallInfo
	actor *Actor
	msg   *pluginv1.Call
	claim *pluginv1.Claim
	slots chan struct{} // bounds answers not yet acked; nil until the first that is not the last
}

// callQueue orders the calls of one key.
type callQueue struct {
	running int
	waiting []*call
}

// answersInFlight bounds the answers of one call that its actor has not handled yet.
const answersInFlight = 16

func (p *Plugin) startCall(a *Actor, s *session.Session, head *actor.Event, index int, msg *pluginv1.Call) {
	c := &call{actor: a, msg: msg, info: CallInfo{
		Actor: a.id, Seq: head.Seq, Index: index, Time: head.Time, Route: a.route, Session: s,
	}}
	if s != nil {
		c.info.Route = s.Info.Route
		s.Hold(0)
	}
	key, parallel := msg.GetOrder(), int(max(msg.GetParallel(), 1))
	a.mu.Lock()
	a.running++
	a.callSeq++
	c.info.Number = a.callSeq
	if key != "" {
		q := a.calls[key]
		if q == nil {
			if a.calls == nil {
				a.calls = make(map[string]*callQueue)
			}
			q = &callQueue{}
			a.calls[key] = q
		}
		if q.running >= parallel {
			q.waiting = append(q.waiting, c)
			a.mu.Unlock()
			return
		}
		q.running++
	}
	a.mu.Unlock()
	p.background(func(ctx context.Context) { p.execute(ctx, c) })
}

func (p *Plugin) startClaim(a *Actor, s *session.Session, head *actor.Event, index int, claim *pluginv1.Claim) {
	c := &call{actor: a, claim: claim, msg: &pluginv1.Call{Tag: claim.GetTag()}, info: CallInfo{
		Actor: a.id, Seq: head.Seq, Index: index, Time: head.Time, Route: s.Info.Route, Session: s,
	}}
	s.Hold(0)
	a.mu.Lock()
	a.running++
	a.mu.Unlock()
	p.background(func(ctx context.Context) { p.execute(ctx, c) })
}

// execute runs a call and then those that waited for it.
func (p *Plugin) execute(ctx context.Context, c *call) {
	for c != nil {
		c.run(ctx)
		c = c.next()
	}
}

func (c *call) run(ctx context.Context) {
	host := c.actor.plugin.cfg.Host
	var count uint64
	var err error
	switch t := c.msg.GetTarget().(type) {
	case *pluginv1.Call_Ask:
		host.Ask(ctx, &c.info, t.Ask, c.emit)
		return
	case *pluginv1.Call_Authenticate:
		c.emit(host.Authenticate(ctx, &c.info, t.Authenticate))
		return
	case *pluginv1.Call_Publish:
		var dirty session.Dirty
		var n int
		n, err = host.Publish(c.actor.author(c.info.Session), t.Publish, &dirty)
		count = uint64(n)
		dirty.Flush()
	case *pluginv1.Call_Act:
		count, err = host.Act(c.actor.author(c.info.Session), t.Act)
	case *pluginv1.Call_Select:
		count, err = host.Select(c.actor.author(c.info.Session), t.Select)
	default:
		if c.claim == nil || c.info.Session == nil {
			c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_ERROR})
			return
		}
		outcome := pluginv1.Outcome_OUTCOME_DENIED
		if host.Claim(c.info.Session, c.claim) {
			outcome = pluginv1.Outcome_OUTCOME_OK
		}
		c.emit(&pluginv1.Answer{Last: true, Outcome: outcome})
		return
	}
	if err != nil {
		c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_DENIED, Reason: err.Error()})
		return
	}
	c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Count: count})
}

// emit posts one answer to the actor. While too many are not handled yet it waits, unless the actor
// has gone.
func (c *call) emit(ans *pluginv1.Answer) {
	ans.Tag, ans.CallSeq, ans.CallIndex = c.msg.GetTag(), c.info.Seq, uint32(c.info.Index)
	e := actor.NewEvent(wire.Answer)
	e.Cold = ans
	if c.actor.session == nil && c.info.Session != nil {
		e.From = c.info.Session.ID
	}
	if ans.GetLast() {
		e.Source = c.info.Session // the call's place in the window is the last answer's now
		e.Size = 0
		c.actor.post(e)
		return
	}
	if c.slots == nil {
		c.slots = make(chan struct{}, answersInFlight)
	}
	c.slots <- struct{}{} // given back by Done, also when the event is dropped
	e.Size = proto.Size(ans)
	e.Done = func() { <-c.slots }
	c.actor.post(e)
}

// next ends the call and returns the one that is to run in its place.
func (c *call) next() *call {
	a := c.actor
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	q := a.calls[c.msg.GetOrder()]
	if q == nil || c.claim != nil {
		return nil
	}
	if len(q.waiting) > 0 {
		n := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		return n
	}
	q.running--
	if q.running == 0 {
		delete(a.calls, c.msg.GetOrder())
	}
	return nil
}

// cancel answers calls of that tag that were not started.
func (a *Actor) cancel(tag string) {
	var cancelled []*call
	a.mu.Lock()
	for _, q := range a.calls {
		keep := q.waiting[:0]
		for _, c := range q.waiting {
			if c.msg.GetTag() == tag {
				cancelled = append(cancelled, c)
				a.running--
			} else {
				keep = append(keep, c)
			}
		}
		clear(q.waiting[len(keep):])
		q.waiting = keep
	}
	a.mu.Unlock()
	for _, c := range cancelled {
		c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_CANCELLED})
	}
}
