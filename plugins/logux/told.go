package logux

import (
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// tellUndone tells the actor of an action's author that a back-end undid the action, by an action of its
// own: {"type":"logux/undo","id":…,"reason":…}. What else it is does nothing.
func tellUndone(c *sdk.Conn, undo []byte) {
	id, reason, ok := undoOf(undo)
	if !ok {
		return
	}
	if author, ok := parseID(id); ok && !parseNode(author.node).isServer() {
		// Without the action, which may be large: there is a bound of what waits to be told.
		c.Tell(clientKey(parseNode(author.node).client), appendUndo(nil, nil, id, reason[:min(len(reason), maxQuoted)]))
	}
}

// undoOf reads an undo; ok is false for another action.
func undoOf(action []byte) (id, reason string, ok bool) {
	reason = reasons[failed]
	for key, value := range rawjson.Members(action) {
		text, isText := rawjson.Text(value)
		switch name, _ := rawjson.Text(key); string(name) {
		case "type":
			ok = string(text) == undoType
		case "id":
			id = string(text)
		case "reason":
			if isText {
				reason = string(text)
			}
		}
	}
	return id, reason, ok && id != ""
}

// told takes what the control endpoint says. An action that runs is over with it; its author is told by
// what the back-end posted.
func (p *Plugin) told(s *session, data []byte) {
	id, reason, ok := undoOf(data)
	mem := s.State.mem
	if e := mem.running; ok && e != nil && e.text == id {
		p.finish(s, e, outcome{result: other, reason: reason[:min(len(reason), maxQuoted)], told: true})
	}
}
