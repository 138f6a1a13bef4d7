package logux

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Bounds of a request to the control endpoint, which is applied in one step.
const (
	maxControl = 64 << 20 // bytes that it becomes, all receivers' forms of its actions counted
	maxActions = 50_000
)

var tooMuch = &refusal{http.StatusRequestEntityTooLarge, "Too many commands"}

// stepControl serves the control endpoint of a server: actions that a back-end has for clients. It keeps
// nothing and waits for nobody: a back-end may post while it is itself asked.
func (p *Plugin) stepControl(s *session, ev sdk.Event) error {
	e, ok := ev.(sdk.Request)
	if !ok {
		return nil
	}
	path, method := endpoint(s), s.Info().Method
	switch {
	case path != "/" && !isPage(path):
		refuse(s, wrongPath)
	case method == http.MethodGet:
		s.Respond(sdk.Response{Headers: plainText(), Body: []byte("Logux Server: OK\n")})
	case path != "/" || method != http.MethodPost || len(config(s).ControlSecret) == 0:
		refuse(s, wrongMethod)
	default:
		if r := p.control(s, e); r != nil {
			refuse(s, r)
		}
	}
	return nil
}

// control applies a request whole, or says why not. What it brings is on its way to the receivers when
// the back-end has its answer.
func (p *Plugin) control(s *session, e sdk.Request) *refusal {
	if !config(s).mask.allows(s.Info()) {
		return wrongAddress
	}
	env, r := p.envelope(s, e, config(s).ControlSecret, wrongFormat)
	if r != nil {
		return r
	}
	actions, r := p.actionsOf(s, env.Commands)
	if r != nil {
		return r
	}
	actions.bring(s)
	s.Respond(sdk.Response{Headers: plainText()})
	return nil
}

// posted are the actions that a back-end posts with a request.
type posted struct {
	publications []sdk.Publication
	undos        [][]byte // what may undo an action that runs
}

// actionsOf are those of a request's commands, unless one of them is none.
func (p *Plugin) actionsOf(s *session, commands [][]byte) (all posted, r *refusal) {
	if len(commands) > maxActions {
		return posted{}, tooMuch
	}
	size := 0
	for i, raw := range commands {
		c, ok := controlOf(raw)
		if !ok {
			return posted{}, wrongCommand
		}
		for _, pub := range p.made(s, c.action, &c.meta, i) {
			all.publications = append(all.publications, pub)
			if size += sizeOf(&pub); size > maxControl {
				return posted{}, tooMuch
			}
		}
		if _, _, ok := undoOf(c.action); ok {
			all.undos = append(all.undos, c.action)
		}
	}
	return all, nil
}

// bring sends them on their way.
func (a *posted) bring(s *session) {
	for _, pub := range a.publications {
		s.PublishAs(pub)
	}
	for _, undo := range a.undos {
		tellUndone(&s.Conn, undo)
	}
}

// controlCommand is an action that a back-end makes.
type controlCommand struct {
	action []byte
	meta   meta
}

// controlOf reads a command of a request to a control endpoint; ok is false when it is none.
func controlOf(raw []byte) (c controlCommand, ok bool) {
	command := logux.DecodeCommand(raw)
	typ, _, _ := logux.ActionParts(command.Action)
	if !command.IsAction() || typ == nil || rawjson.KindOf(command.Meta) != rawjson.Object {
		return c, false
	}
	m, err := parseMeta(command.Meta)
	return controlCommand{command.Action, m}, err == nil
}

// made are the publications of an action that a back-end made; index tells those of one step apart.
// Without an id it is this server's.
func (p *Plugin) made(s *session, action []byte, m *meta, index int) []sdk.Publication {
	o := outgoing{action: action, id: m.id, time: m.time, subprotocol: m.subprotocol}
	if !m.hasID {
		o.id, o.subprotocol = p.freshID(s, index), cmp.Or(o.subprotocol, p.subprotocol(s))
		if !m.hasTime {
			o.time = o.id.ms
		}
	}
	var message *sdk.Message
	if len(m.to.Channels) > 0 {
		message = messageOf(action)
	}
	return p.publications(&o, &m.to, m.exclude, message)
}

// subprotocol is that of what this server makes; empty: none is said.
func (p *Plugin) subprotocol(s *session) string {
	own := config(s).Subprotocol
	if role := s.Route().Role; role == roleServer || role == roleControl {
		own = cmp.Or(p.spoken.of(s.Route().ID), own)
	}
	return own
}

// sizeOf is about how large a publication is on its way to the core.
func sizeOf(p *sdk.Publication) int {
	const each = 8
	n := 0
	for _, name := range slices.Concat(p.Channels, p.ExceptChannels) {
		n += len(name) + each
	}
	for _, f := range p.Frames {
		n += len(f.Data) + each*each
	}
	if p.Message != nil {
		n += len(p.Message.Type) + len(p.Message.Payload) + each*each
	}
	return n
}
