package pluginhost

import (
	"net/http"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// apply checks a step whole and then does all it asks for, with the ack last. Only this goroutine
// takes events off the mailboxes of actors that are with this instance.
func (in *Instance) apply(st *wire.Step) error {
	a := in.plugin.actors.get(st.Actor)
	if a == nil {
		return faultf("ack only events that were delivered on this link, once each", "step for actor %d, which does not exist", st.Actor)
	}
	a.mu.Lock()
	head := a.box.Head()
	switch {
	case a.inst != in:
		a.mu.Unlock()
		return faultf("send steps only for actors whose events came on this link", "step for actor %d, which is not with this instance", st.Actor)
	case a.box.InFlight() == 0:
		a.mu.Unlock()
		return faultf("ack each event once", "step for event %d of actor %d, which has no event in flight", st.Seq, st.Actor)
	case head.Seq != st.Seq:
		a.mu.Unlock()
		return faultf("ack the events of an actor in their order, once each", "step for event %d of actor %d, where %d is next", st.Seq, st.Actor, head.Seq)
	}
	err := in.checkLocked(a, head, st)
	a.mu.Unlock()
	if err != nil {
		return err
	}

	for i := range st.Commands {
		in.perform(a, head, &st.Commands[i], in.targets[i], i)
	}
	in.settle(a, st)
	return nil
}

// checkLocked finds the session of each command, and everything that would make the step unfit.
func (in *Instance) checkLocked(a *Actor, head *actor.Event, st *wire.Step) error {
	clear(in.targets)
	in.targets = in.targets[:0]
	grown := 0
	for i := range st.Commands {
		c := &st.Commands[i]
		target, err := in.targetLocked(a, c)
		if err != nil {
			return err
		}
		in.targets = append(in.targets, target)
		switch c.Kind {
		case 0:
			return faultf("use only commands of the contract this core speaks", "unknown command in the step for event %d of actor %d", st.Seq, st.Actor)
		case wire.PutState:
			grown += len(c.Key) + len(c.Data) - a.cells.Lookup(c.Key)
		case wire.Send, wire.Close, wire.Join, wire.Leave, wire.PutContext, wire.Tune, wire.Respond, wire.Claim, wire.Framing, wire.Pause:
			if a.session == nil && c.Session == 0 {
				return faultf("name the session in commands of a named actor", "command %d without a session at actor %q", c.Kind, a.key())
			}
		case wire.Bind:
			if a.session == nil || i != len(st.Commands)-1 {
				return faultf("bind a session by the last command of a step of its own", "bind at the wrong place in a step of actor %d", st.Actor)
			}
		case wire.Encode:
			if head.Kind != wire.Message {
				return faultf("answer Message events with Encode, and nothing else", "encode in a step for another event of actor %d", st.Actor)
			}
		case wire.Push, wire.Consume:
			if in.queues == nil {
				return faultf("use queues where ConfigureRequest.capabilities has \"queue\", and say so in ConfigureResponse.queues", "queue command without the capability, or of a plugin that does not say that it uses queues")
			}
		}
	}
	if limit := in.plugin.maxState; grown > 0 && a.cells.Size()+grown > limit {
		return faultf("keep less state on an actor, or declare a larger max_state_bytes", "state of actor %d would have %d bytes, %d are allowed", st.Actor, a.cells.Size()+grown, limit)
	}
	return nil
}

func (in *Instance) targetLocked(a *Actor, c *wire.Command) (*session.Session, error) {
	if m := a.memberLocked(c.Session); m != nil {
		return m.session, nil
	}
	if in.plugin.actors.get(c.Session) != nil {
		return nil, faultf("send commands only for the actor itself and sessions bound to it", "command for session %d, which is not of actor %d", c.Session, a.id)
	}
	return nil, nil // it has gone meanwhile
}

// perform does what a command asks for outside the actor. s is nil where there is no session, or it
// has gone.
func (in *Instance) perform(a *Actor, head *actor.Event, c *wire.Command, s *session.Session, index int) {
	p := in.plugin
	host := p.cfg.Host
	noteCommand(s, c)
	switch c.Kind {
	case wire.Publish:
		host.Publish(a.author(s), a.routeOf(s), c.Cold.(*pluginv1.Publish), &in.dirty)
		return
	case wire.Encode:
		m := head.Cold.(*pluginv1.Message)
		host.Encoded(m.GetChannels(), c.Cold.(*pluginv1.Encode).GetVariants(), &in.dirty)
		return
	case wire.Call:
		p.startCall(a, s, head, index, c.Cold.(*pluginv1.Call))
		return
	case wire.Cancel:
		a.cancel(c.Key)
		return
	case wire.Detach:
		a.detach(c.Key)
		return
	case wire.Tell:
		p.TellHere(c.Key, c.Data)
		host.Tell(c.Key, c.Data)
		return
	case wire.Push:
		in.push(a, s, head, index, c.Cold.(*pluginv1.Push))
		return
	case wire.Consume:
		in.consume(a, s, head, index, c.Cold.(*pluginv1.Consume))
		return
	case wire.Send:
		if c.Number != 0 {
			in.sendSettling(a, s, c)
			return
		}
	}
	if s == nil {
		return
	}
	switch c.Kind {
	case wire.Send:
		if c.Key != "" {
			host.Told(s, session.Order{Key: string([]byte(c.Key)), Number: c.Mark})
		}
		switch {
		case s.Send(c.Data, c.Binary) != nil:
		case c.Late:
			p.late.Add(s)
		default:
			in.dirty.Add(s)
		}
	case wire.Close:
		code := int(c.Number)
		if code == 0 {
			code = session.CloseNormal.Code
		}
		s.Close(code, string([]byte(c.Key)))
	case wire.Join:
		host.Join(s, string([]byte(c.Key)))
	case wire.Leave:
		host.Leave(s, c.Key)
	case wire.PutContext:
		s.PutContext(string([]byte(c.Key)), append([]byte(nil), c.Data...))
	case wire.Tune:
		t := c.Cold.(*pluginv1.Tune)
		tuning := &session.Tuning{Variant: t.GetVariant()}
		if vs := t.GetVariables(); len(vs) > 0 {
			tuning.Variables = make(map[string]int64, len(vs))
			for _, v := range vs {
				tuning.Variables[v.GetName()] = v.GetValue()
			}
		}
		s.SetTuning(tuning)
	case wire.Respond:
		respond(s, c.Cold.(*pluginv1.Respond))
	case wire.Framing:
		f := c.Cold.(*pluginv1.Framing)
		s.SetFraming(f.GetRaw(), f.GetRawBytes())
	case wire.Pause:
		s.SetPaused(c.Cold.(*pluginv1.Pause).GetOn())
	case wire.Claim:
		p.startClaim(a, s, head, index, c.Cold.(*pluginv1.Claim))
	case wire.Release:
		host.Release(s, c.Key)
	}
}

func respond(s *session.Session, r *pluginv1.Respond) {
	var headers []session.Header
	for _, h := range r.GetHeaders() {
		headers = append(headers, session.Header{Name: h.GetKey(), Value: string(h.GetValue())})
	}
	status := int(r.GetStatus())
	if status == 0 {
		status = http.StatusOK
	}
	_ = s.Respond(status, headers, r.GetBody(), r.GetLast()) // a client that is gone needs no answer
}

// settle applies the step's state and timers and acks its event.
func (in *Instance) settle(a *Actor, st *wire.Step) {
	p := in.plugin
	var bind string
	a.mu.Lock()
	for i := range st.Commands {
		switch c := &st.Commands[i]; c.Kind {
		case wire.PutState:
			a.cells.Put(c.Key, c.Data)
			a.written = in.stateVersion
		case wire.DeleteState:
			a.cells.Delete(c.Key)
		case wire.SetTimer:
			a.setTimerLocked(c.Key, c.Number)
		case wire.Close:
			if m := a.memberLocked(c.Session); m != nil {
				m.dismissed.Store(true)
				if m == a {
					a.stopConsuming()
				}
			}
		case wire.Bind:
			bind = string([]byte(c.Key))
		}
	}
	e := a.box.Pop()
	in.handled(e)
	in.inflight.Add(-1)
	in.acked.Add(1)
	var leaving *Actor
	switch {
	case e.Kind == wire.Closed && e.From != 0:
		if leaving = a.boundLocked(e.From); leaving != nil {
			delete(a.named.sessions, e.From)
		}
	case e.Kind == wire.Closed:
		leaving = a
		a.removeLocked()
	case e.Kind == wire.Bound:
	case bind != "" && !a.gone:
		in.bindLocked(a, bind)
	}
	suspect := a.suspect
	a.dispatchLocked()
	idle := a.idleLocked()
	a.mu.Unlock()

	if suspect {
		select {
		case in.settled <- struct{}{}:
		default:
		}
	}
	if leaving != nil {
		if leaving != a {
			leaving.mu.Lock()
			leaving.removeLocked()
			leaving.mu.Unlock()
		}
		p.cfg.Host.Ended(leaving.session)
	}
	if idle {
		p.dropNamed(a)
	}
	e.Finish()
}

// routeOf is the route that a publish of this step comes from.
func (a *Actor) routeOf(s *session.Session) string {
	if s == nil {
		return a.route()
	}
	return s.Info.Route
}

// author is who a publish of this step is from.
func (a *Actor) author(s *session.Session) *session.Identity {
	if s == nil {
		s = a.session
	}
	if s == nil {
		return nil
	}
	return s.Identity()
}
