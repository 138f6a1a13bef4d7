package core

import (
	"errors"
	"slices"

	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// What a user of an API is told who is held to some channels.
var (
	errEverybody     = errors.New("you may select by your channels only")
	errOtherChannels = errors.New("you may not act on this channel")
)

// Act does something to one session of the plugin.
func (a *attached) Act(by *session.Identity, act *pluginv1.Act) (uint64, error) {
	s, g := a.engine.hub.Session(act.GetSession())
	if s == nil || g != a.group.Load() {
		return 0, nil
	}
	if err := a.mayAct(by, "", act.GetAction()); err != nil {
		return 0, err
	}
	var dirty session.Dirty
	a.act(s, act.GetAction(), &dirty)
	dirty.Flush()
	return 1, nil
}

// Select does something to all sessions of the plugin that match, but for plain requests.
func (a *attached) Select(by *session.Identity, sel *pluginv1.Select) (uint64, error) {
	if by != nil && by.Within != nil && sel.GetChannel() == "" {
		return 0, errEverybody
	}
	if err := a.mayAct(by, sel.GetChannel(), sel.GetAction()); err != nil {
		return 0, err
	}
	selection, err := pluginhost.NewSelection(sel)
	if err != nil {
		return 0, err
	}
	var dirty session.Dirty
	n := uint64(0)
	for _, s := range a.candidates(sel.GetChannel()) {
		if !s.Info.HTTP && selection.Has(s.Identity()) { // a request is nobody who stays
			a.act(s, sel.GetAction(), &dirty)
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
		if c != "" && !channel.MatchAny(by.Within, c) {
			return errOtherChannels
		}
	}
	return nil
}

func (a *attached) act(s *session.Session, do *pluginv1.Action, dirty *session.Dirty) {
	for _, c := range do.GetJoin() {
		a.Join(s, c)
	}
	for _, c := range do.GetLeave() {
		a.Leave(s, c)
	}
	for _, kv := range do.GetContext() {
		s.PutContext(kv.GetKey(), kv.GetValue())
	}
	for _, v := range variants(do.GetFrames()) {
		a.group.Load().Send(s, []hub.Variant{v}, dirty)
	}
	if c := do.GetClose(); c != nil {
		code := int(c.GetCode())
		if code == 0 {
			code = session.CloseNormal.Code
		}
		s.Close(code, c.GetReason())
	}
}
