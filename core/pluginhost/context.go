package pluginhost

import (
	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// ChangeContext changes the context of a session as an action says, and has the session's actor told of it.
// It does nothing and returns false where there would be too much.
func (p *Plugin) ChangeContext(s *session.Session, do *pluginv1.Action) bool {
	if len(do.GetContext()) == 0 && !do.GetReplaceContext() {
		return true
	}
	set := make(map[string][]byte, len(do.GetContext()))
	for _, kv := range do.GetContext() {
		set[kv.GetKey()] = kv.GetValue()
	}
	if !s.UpdateContext(do.GetReplaceContext(), set) {
		return false
	}
	if a := p.actors.get(s.ID); a != nil {
		e := actor.NewEvent(wire.ContextChanged)
		e.Cold = &pluginv1.ContextChanged{Replaced: do.GetReplaceContext(), Set: do.GetContext()}
		a.post(e)
	}
	return true
}
