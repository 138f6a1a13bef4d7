package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/protocol-bridge/bridge/core/deliver"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	clusterv1 "github.com/protocol-bridge/bridge/proto/bridge/cluster/v1"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// What a user of an API is told who is held to some channels.
var (
	errEverybody     = errors.New("you may select by your channels only")
	errOtherChannels = errors.New("you may not act on this channel")
)

// Act does something to one session of the plugin, but to no plain request.
func (a *attached) Act(ctx context.Context, by *session.Identity, act *pluginv1.Act) (n session.Reached, err error) {
	if err := a.mayAct(by, "", act.GetAction()); err != nil {
		return n, err
	}
	others, began := a.engine.nodes(), time.Now()
	if home, elsewhere := others.home(act.GetSession()); elsewhere {
		if err := others.away(); err != nil {
			return n, err
		}
		defer a.times.observe("forward", began)
		m := &clusterv1.Envelope{Body: &clusterv1.Envelope_Act{Act: &clusterv1.Act{Plugin: a.Label(), Act: act}}}
		ans, _ := others.Ask(ctx, home, m)
		return session.Reached{Took: ans.GetCount(), Failed: ans.GetFailed()}, nil
	}
	defer a.times.observe("local", began)
	return a.actHere(act), nil
}

// actHere does it to a session of this node.
func (a *attached) actHere(act *pluginv1.Act) (n session.Reached) {
	s, g := a.engine.hub.Session(act.GetSession())
	switch {
	case s == nil || g != a.group.Load() || s.Info.HTTP || s.IsClosing():
		return n
	case act.GetRole() != "" && !a.engine.hasRole(s, act.GetRole()):
		return n
	}
	var dirty session.Dirty
	if a.room(s, act.GetAction().GetJoin()) && deliver.Act(a, a.group.Load(), s, act.GetAction(), &dirty) {
		n.Took = 1
	} else {
		n.Failed = 1
		if len(act.GetAction().GetFrames()) > 0 {
			a.unsent.Add(1)
		}
	}
	dirty.Flush()
	return n
}

// hasRole says whether a session is on a route of that role.
func (e *Engine) hasRole(s *session.Session, role string) bool {
	r := e.route(s.Info.Route)
	return r != nil && r.Role == role
}

// room says whether a session may join all of the channels beside those that it is on.
func (a *attached) room(s *session.Session, join []string) bool {
	if len(join) == 0 {
		return true
	}
	rules, who := a.engine.rules.Load(), a.subject(s.Identity())
	return deliver.Room(a.engine.hub.Channels(s), join, a.engine.cfg.MaxChannels, func(name string) bool {
		return rules.Join(who, name) == nil
	})
}

// Select does something to all sessions of the plugin that match, but for plain requests.
func (a *attached) Select(ctx context.Context, by *session.Identity, sel *pluginv1.Select) (uint64, error) {
	if by != nil && by.Within != nil && sel.GetChannel() == "" {
		return 0, errEverybody
	}
	if err := a.mayAct(by, sel.GetChannel(), sel.GetAction()); err != nil {
		return 0, err
	}
	n, err := a.selectHere(sel)
	if err == nil {
		n += a.engine.nodes().askCount(ctx, &clusterv1.Envelope{Body: &clusterv1.Envelope_Select{Select: &clusterv1.Select{Plugin: a.Label(), Select: sel}}})
	}
	return n, err
}

// selectHere does it to sessions of this node.
func (a *attached) selectHere(sel *pluginv1.Select) (uint64, error) {
	selection, err := pluginhost.NewSelection(sel)
	if err != nil {
		return 0, err
	}
	var dirty session.Dirty
	g, n := a.group.Load(), uint64(0)
	for _, s := range a.candidates(sel.GetChannel()) {
		if !s.Info.HTTP && selection.Has(s.Identity()) { // a request is nobody who stays
			deliver.Act(a, g, s, sel.GetAction(), &dirty)
			n++
		}
	}
	dirty.Flush()
	return n, nil
}

// candidates are the plugin's members of a channel, or all of its sessions.
func (a *attached) candidates(channel string) []*session.Session {
	g := a.group.Load()
	if channel != "" {
		return g.Members(channel)
	}
	list := make([]*session.Session, 0, g.Len())
	a.engine.hub.Each(func(s *session.Session, of *hub.Group) {
		if of == g {
			list = append(list, s)
		}
	})
	return list
}

// mayAct looks whether whoever asks may reach the members of the channel, which may be empty, and do
// what the action says to channels.
func (a *attached) mayAct(by *session.Identity, to string, do *pluginv1.Action) error {
	if by == nil || by.Within == nil {
		return nil
	}
	for _, c := range append(slices.Concat(do.GetJoin(), do.GetLeave()), to) {
		if c != "" && (channel.IsPrivate(c) || !channel.MatchAny(by.Within, c)) {
			return errOtherChannels
		}
	}
	return nil
}
