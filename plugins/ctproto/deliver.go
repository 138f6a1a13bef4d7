package ctproto

import (
	"slices"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
)

// Encode implements sdk.Encoder: a message is a new one, with an id of its own for each receiver.
func (p *Plugin) Encode(m sdk.Message) (sdk.OutFrame, error) { return update(m.Type, m.Payload), nil }

// update is a new message for many receivers.
func update(typ string, payload []byte) sdk.OutFrame {
	frame, at := appendNew(nil, typ, payload)
	return sdk.OutFrame{Data: frame, Slots: []sdk.Slot{{At: at, RandomID: idLength}}}
}

// reserved says whether clients would take a type for one of the protocol's own.
func reserved(typ string) bool { return typ == authorizeType || typ == errorType }

// deliver sends what a back-end wants delivered: to channels, users and single sessions, or to the
// session that asked.
func (p *Plugin) deliver(s *session, it *sdk.Item) {
	if reserved(it.Type) {
		s.Log().Warn("back-end sent a message of a reserved type", "type", it.Type)
		return
	}
	if len(it.Channels)+len(it.Users)+len(it.Clients)+len(it.Nodes) == 0 {
		s.Send(appendUpdate(nil, it.Type, it.Payload))
		return
	}
	frames := []sdk.OutFrame{update(it.Type, it.Payload)}
	sessions := addressed(s, it)
	if len(it.Channels) > 0 {
		m := sdk.Message{Type: it.Type, Payload: it.Payload}
		s.PublishAs(sdk.Publication{Channels: it.Channels, Except: sessions, Message: &m, Frames: frames})
	}
	if len(it.Users) > 0 {
		p.call(s, sdk.Select{UserIDs: it.Users, Action: sdk.Action{Frames: frames}})
	}
	for _, id := range sessions {
		p.call(s, sdk.Act{Session: id, Action: sdk.Action{Frames: frames}})
	}
}

// call makes a call that delivers; those of a session keep their order.
func (p *Plugin) call(s *session, target sdk.Target) {
	s.Call(sdk.Call{Tag: deliverTag, Order: deliverTag, Target: target})
}

// addressed lists the sessions that an item names by the ids which Logux knows them by, once each:
// USER:SESSION for the client and USER:SESSION:bridge for its node. Clients of Logux itself, and those
// of users that the item names anyway, are left out.
func addressed(s *session, it *sdk.Item) (sessions []uint64) {
	for _, name := range slices.Concat(it.Clients, it.Nodes) {
		user, id, ok := sessionOf(name)
		switch {
		case !ok:
			s.Log().Debug("addressee is no session of this protocol", "client", name)
		case !slices.Contains(it.Users, user) && !slices.Contains(sessions, id):
			sessions = append(sessions, id)
		}
	}
	return sessions
}

// sessionOf takes a client or node id of Logux apart.
func sessionOf(name string) (user string, id uint64, ok bool) {
	user, rest, ok := strings.Cut(name, ":")
	if !ok {
		return "", 0, false
	}
	id, err := strconv.ParseUint(strings.TrimSuffix(rest, ":bridge"), 10, 63)
	return user, id, err == nil && id != 0
}
