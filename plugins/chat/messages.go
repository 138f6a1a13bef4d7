package chat

import (
	"strconv"

	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/sdk"
)

// messageType is that of messages which other protocols get.
const messageType = "chat/message"

// publication is what tells a room's members of a write, in the order of the room's writes. A list of members
// tells of those who came and went before it, and of nothing else.
func (p *Plugin) publication(b *store.Broadcast) sdk.Publication {
	channel := roomChannel(b.Room)
	return sdk.Publication{
		Channels: []string{channel},
		Frames:   both(func(names bool) *object { return broadcastFrame(b, names) }),
		Order:    placeOf(b.Room, b.Seq),
		Always:   b.Kind != store.Joined && b.Kind != store.MemberBanned,
	}
}

// placeOf is the place of a write among those of its room.
func placeOf(room, seq int64) sdk.Order {
	return sdk.Order{Key: roomChannel(room), Number: uint64(seq)}
}

// publish tells a room's members of a write, and other protocols of a new message.
func (p *Plugin) publish(s *session, b *store.Broadcast) {
	p.told(s, b)
	p.announce(s, b)
}

// announce is publish of what may have been told before, as after the death of who wrote it.
func (p *Plugin) announce(s *session, b *store.Broadcast) {
	pub := p.publication(b)
	switch b.Kind {
	case store.Said, store.Edited:
		if b.Kind == store.Said && b.User != nil {
			pub.Message = &sdk.Message{
				Type: messageType, Payload: neutral(b.Message), Author: sdk.Author{Realm: p.label, ID: b.User.Login},
			}
		}
		power := both(func(names bool) *object { return powerFrame(b.Room, b.Power, names) })
		// Of a file the original tells the power first.
		if b.Message.Type == store.FileMessage {
			pub.Frames, power = power, pub.Frames
		}
		pub.Then = [][]sdk.OutFrame{power}
	case store.MemberBanned:
		p.leaveBanned(s, b, &pub)
	case store.RoomGone:
		s.Timer(goneTimer+strconv.FormatInt(b.Room, 10), goneAfter)
	}
	s.PublishAs(pub)
}

// saying reads what is said, and what it is.
func saying(r *request) (text string, kind int, err error) {
	if text, err = r.stripped(fMessage); err != nil {
		return "", 0, err
	}
	kind, ok := r.constant(fMsgType, msgTypes)
	if !ok || kind != textMsg && kind != stickerMsg {
		return "", 0, bad("msg_type is 0 or 3")
	}
	return text, kind, nil
}

func (p *Plugin) say(s *session, r *request) error {
	text, kind, err := saying(r)
	if err != nil {
		return err
	}
	room, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	b, err := p.store.Say(s.Ctx(), event(s), store.NewMessage{
		Room: room, User: s.State.User, Text: text, Type: store.MessageType(kind), Power: int64(r.size),
	})
	if err != nil {
		return err
	}
	b.User = &store.User{ID: s.State.User, Login: s.State.Login}
	p.publish(s, &b)
	return nil
}

func (p *Plugin) edit(s *session, r *request) error {
	text, err := r.stripped(fMsg)
	if err != nil {
		return err
	}
	return p.onMessage(s, r, func(room, message int64) (store.Broadcast, error) {
		return p.store.Edit(s.Ctx(), event(s), room, s.State.User, message, text)
	})
}

func (p *Plugin) deleteMessage(s *session, r *request) error {
	return p.onMessage(s, r, func(room, message int64) (store.Broadcast, error) {
		return p.store.DeleteMessage(s.Ctx(), event(s), room, s.State.User, message)
	})
}

func (p *Plugin) clearHistory(s *session, r *request) error {
	return p.inRoom(s, r, func(room int64) (store.Broadcast, error) {
		return p.store.ClearHistory(s.Ctx(), event(s), room, s.State.User)
	})
}

// onMessage changes the message that the request names.
func (p *Plugin) onMessage(s *session, r *request, write func(room, message int64) (store.Broadcast, error)) error {
	message, err := r.id(fMsgID)
	if err != nil {
		return err
	}
	return p.inRoom(s, r, func(room int64) (store.Broadcast, error) { return write(room, message) })
}

// page reads which messages of a room are wanted.
func page(r *request) (room, date int64, count int, err error) {
	if room, err = r.id(fRoomID); err != nil {
		return 0, 0, 0, err
	}
	if date, err = r.int(fDate); err != nil {
		return 0, 0, 0, err
	}
	n, err := r.int(fCount)
	return room, date, int(min(max(n, 0), maxCount)), err
}

func (p *Plugin) newer(s *session, r *request) error {
	room, date, count, err := page(r)
	if err != nil {
		return err
	}
	messages, power, err := p.store.Newer(s.Ctx(), room, s.State.User, date, count)
	if err != nil {
		return err
	}
	s.Send(list(frame(rqGetNewMsgs, names(s)).number("room_id", room), "messages", messages, messageObject).end())
	s.Send(powerFrame(room, power, names(s)).end())
	return nil
}

// older answers with the same messages under two keys: that of the protocol's document and that of its
// clients.
func (p *Plugin) older(s *session, r *request) error {
	room, date, count, err := page(r)
	if err != nil {
		return err
	}
	messages, err := p.store.Older(s.Ctx(), room, s.State.User, date, count)
	if err != nil {
		return err
	}
	o := frame(rqOldMsgs, names(s)).number("room_id", room)
	s.Send(list(list(o, "messages", messages, messageObject), "message", messages, messageObject).end())
	return nil
}

func (p *Plugin) searchMessages(s *session, r *request) error {
	text, err := r.string(fMsg, 1, maxText)
	if err != nil {
		return err
	}
	room, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	messages, err := p.store.SearchMessages(s.Ctx(), room, s.State.User, text)
	if err != nil {
		return err
	}
	s.Send(list(frame(rqSearchMsgs, names(s)), "msgs", messages, messageObject).end())
	return nil
}
