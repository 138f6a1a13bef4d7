package pluginhost

import (
	"cmp"
	"context"
	"errors"
	"slices"

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

	detached bool // has no place in its order any more; guarded by the actor's mu
}

// callQueue orders the calls of one key.
type callQueue struct {
	running []*call // those that have a place
	waiting []*call
}

// start gives the place of one that ran to the next that waits; nil when none does.
func (q *callQueue) start() *call {
	if len(q.waiting) == 0 {
		return nil
	}
	c := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	q.running = append(q.running, c)
	return c
}

// answersInFlight bounds the answers of one call that its actor has not handled yet.
const answersInFlight = 16

func (p *Plugin) startCall(a *Actor, s *session.Session, head *actor.Event, index int, msg *pluginv1.Call) {
	c := &call{actor: a, msg: msg, info: CallInfo{
		Actor: a.id, Seq: head.Seq, Index: index, Time: head.Time, Route: a.route(), Session: s,
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
		if len(q.running) >= parallel {
			q.waiting = append(q.waiting, c)
			a.mu.Unlock()
			return
		}
		q.running = append(q.running, c)
	}
	a.mu.Unlock()
	p.start(c)
}

func (p *Plugin) startClaim(a *Actor, s *session.Session, head *actor.Event, index int, claim *pluginv1.Claim) {
	c := &call{actor: a, claim: claim, msg: &pluginv1.Call{Tag: claim.GetTag()}, info: CallInfo{
		Actor: a.id, Seq: head.Seq, Index: index, Time: head.Time, Route: s.Info.Route, Session: s,
	}}
	s.Hold(0)
	a.mu.Lock()
	a.running++
	a.mu.Unlock()
	p.start(c)
}

// execute runs a call and then those that waited for it; g is empty before and behind it.
func (p *Plugin) execute(ctx context.Context, c *call, g *gathered) {
	a := c.actor
	for c != nil {
		if !c.publishes() { // the publish that waited was cancelled
			g.flush()
		}
		c.run(ctx, g)
		c = c.next()
	}
	g.flush()
	a.mu.Lock()
	idle := a.idleLocked() // the last answer may have been handled before the call was over
	a.mu.Unlock()
	if idle {
		p.dropNamed(a)
	}
}

func (c *call) run(ctx context.Context, g *gathered) {
	host := c.actor.plugin.cfg.Host
	var reached session.Reached
	var nodes []*pluginv1.Node
	var err error
	switch t := c.msg.GetTarget().(type) {
	case *pluginv1.Call_Ask:
		host.Ask(ctx, &c.info, t.Ask, c.emit)
		return
	case *pluginv1.Call_Authenticate:
		c.emit(host.Authenticate(ctx, &c.info, t.Authenticate))
		return
	case *pluginv1.Call_Publish:
		reached, err = host.Count(ctx, c.actor.author(c.info.Session), c.info.Route, t.Publish, &g.Dirty)
		g.published(c)
	case *pluginv1.Call_Act:
		reached, err = host.Act(ctx, c.actor.author(c.info.Session), t.Act)
	case *pluginv1.Call_Select:
		reached.Took, err = host.Select(ctx, c.actor.author(c.info.Session), t.Select)
	case *pluginv1.Call_Flush:
		outcome := pluginv1.Outcome_OUTCOME_DENIED
		if s := c.info.Session; s != nil && s.WaitTaken(ctx) {
			outcome = pluginv1.Outcome_OUTCOME_OK
		}
		c.emit(&pluginv1.Answer{Last: true, Outcome: outcome})
		return
	case *pluginv1.Call_Nodes:
		nodes, err = host.Nodes()
	default:
		if c.claim == nil || c.info.Session == nil {
			c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_ERROR})
			return
		}
		granted, err := host.Claim(ctx, c.info.Session, c.claim)
		outcome := pluginv1.Outcome_OUTCOME_DENIED
		switch {
		case err != nil:
			outcome = pluginv1.Outcome_OUTCOME_UNAVAILABLE
		case granted:
			outcome = pluginv1.Outcome_OUTCOME_OK
		}
		c.emit(&pluginv1.Answer{Last: true, Outcome: outcome})
		return
	}
	switch {
	case errors.Is(err, ErrAway):
		c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_UNAVAILABLE})
	case err != nil:
		c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_DENIED, Reason: err.Error()})
	default:
		c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Count: reached.Took, Failed: reached.Failed, Nodes: nodes})
	}
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

// finish ends a call that no worker ran, with its last answer.
func (c *call) finish(ans *pluginv1.Answer) {
	c.emit(ans)
	a := c.actor
	a.mu.Lock()
	a.running--
	idle := a.idleLocked()
	a.mu.Unlock()
	if idle {
		a.plugin.dropNamed(a)
	}
}

// next ends the call and returns the one that is to run in its place.
func (c *call) next() *call {
	a := c.actor
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	key := c.msg.GetOrder()
	q := a.calls[key]
	if q == nil || c.detached {
		return nil
	}
	if i := slices.Index(q.running, c); i >= 0 {
		q.running = slices.Delete(q.running, i, i+1)
	}
	n := q.start()
	a.dropQueueLocked(key, q)
	return n
}

func (a *Actor) dropQueueLocked(key string, q *callQueue) {
	if len(q.running)+len(q.waiting) == 0 {
		delete(a.calls, key)
	}
}

// detach takes the running calls of that tag out of their order, and starts those that waited for
// their places.
func (a *Actor) detach(tag string) {
	var started []*call
	a.mu.Lock()
	for key, q := range a.calls {
		running := q.running
		q.running = nil
		for _, c := range running {
			c.detached = c.msg.GetTag() == tag
			if !c.detached {
				q.running = append(q.running, c)
			}
		}
		for range len(running) - len(q.running) {
			if c := q.start(); c != nil {
				started = append(started, c)
			}
		}
		a.dropQueueLocked(key, q)
	}
	a.mu.Unlock()
	for _, c := range started {
		a.plugin.start(c)
	}
}

// cancel answers calls of that tag that were not started, in the order in which they were made.
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
	slices.SortFunc(cancelled, func(a, b *call) int { return cmp.Compare(a.info.Number, b.info.Number) })
	for _, c := range cancelled {
		c.emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_CANCELLED})
	}
}
