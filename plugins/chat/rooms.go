package chat

import (
	"math"
	"strconv"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/sdk"
)

// roomChannel is joined by the sessions of a room's members.
func roomChannel(room int64) string { return prefix + strconv.FormatInt(room, 10) }

// userChannel is joined by the sessions of a user, and known to this plugin alone.
func userChannel(user int64) string { return "$user/" + strconv.FormatInt(user, 10) }

func (p *Plugin) rooms(s *session, r *request) error {
	date, err := r.int(fDate)
	if err != nil {
		return err
	}
	rooms, err := p.store.Rooms(s.Ctx(), s.State.User, date)
	if err != nil {
		return err
	}
	s.Send(list(frame(rqGetRooms, names(s)), "rooms", rooms, roomObject).end())
	p.listed(s)
	return nil
}

func (p *Plugin) searchRooms(s *session, r *request) error {
	name, err := r.string(fName, 1, maxRoomName)
	if err != nil {
		return err
	}
	rooms, err := p.store.SearchRooms(s.Ctx(), s.State.User, name)
	if err != nil {
		return err
	}
	s.Send(list(frame(rqSearchCh, names(s)), "rooms", rooms, roomObject).end())
	return nil
}

func (p *Plugin) newRoom(s *session, r *request) error {
	kind, err := r.roomType()
	if err != nil {
		return err
	}
	name, err := r.string(fName, 1, maxRoomName)
	if err != nil {
		return err
	}
	desc, err := r.optional(fDesc, maxText)
	if err != nil {
		return err
	}
	room, err := p.store.CreateRoom(s.Ctx(), event(s), store.NewRoom{
		User: s.State.User, Name: name, Desc: desc, Type: store.RoomType(kind),
	})
	if err != nil {
		return err
	}
	p.bring(s, rqNewRoom, &room)
	return nil
}

func (p *Plugin) joinRoom(s *session, r *request) error {
	id, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	b, err := p.store.Join(s.Ctx(), event(s), id, s.State.User)
	if err != nil {
		return err
	}
	p.bring(s, rqJoinRoom, b.Of)
	if p.config.SingleSession {
		p.publish(s, &b)
	} else { // when the user's other sessions are there as well
		p.told(s, &b)
		s.Call(sdk.Call{Tag: "tell", Order: bringCalls, Target: sdk.Counted(p.publication(&b))})
	}
	return nil
}

// bringCalls is the order of the calls by which the user's other sessions come into a room.
const bringCalls = "bring"

// bring makes the user's sessions hear a room, and tells them of it: this one at once, and where there may be
// others, those.
func (p *Plugin) bring(s *session, asked kind, room *store.Room) {
	channel := roomChannel(room.ID)
	s.Join(channel)
	s.Send(roomFrame(asked, room, names(s)).end())
	if p.config.SingleSession {
		return
	}
	theirs := userChannel(s.State.User)
	s.PublishAs(sdk.Publication{
		Channels: []string{theirs}, Except: []uint64{s.ID()},
		Frames: both(func(names bool) *object { return roomFrame(asked, room, names) }),
	})
	s.Call(sdk.Call{Tag: "join", Order: bringCalls, Target: sdk.Select{
		Channel: theirs, Action: sdk.Action{Join: []string{channel}},
	}})
}

// goneAfter is when nobody is told anything of a room any more that is gone.
const goneAfter = time.Second

func (p *Plugin) deleteRoom(s *session, r *request) error {
	return p.inRoom(s, r, func(room int64) (store.Broadcast, error) {
		return p.store.DeleteRoom(s.Ctx(), event(s), room, s.State.User)
	})
}

// abandon has all leave the channel of a room that is gone.
func (p *Plugin) abandon(s *session, room string) {
	channel := prefix + room
	s.Call(sdk.Call{Tag: "leave", Target: sdk.Select{Channel: channel, Action: sdk.Action{Leave: []string{channel}}}})
}

func (p *Plugin) renameRoom(s *session, r *request) error {
	name, err := r.string(fRoomName, 1, maxRoomName)
	if err != nil {
		return err
	}
	return p.inRoom(s, r, func(room int64) (store.Broadcast, error) {
		return p.store.RenameRoom(s.Ctx(), event(s), room, s.State.User, name)
	})
}

func (p *Plugin) describeRoom(s *session, r *request) error {
	desc, err := r.string(fDesc, 0, maxText)
	if err != nil {
		return err
	}
	return p.inRoom(s, r, func(room int64) (store.Broadcast, error) {
		return p.store.DescribeRoom(s.Ctx(), event(s), room, s.State.User, desc)
	})
}

// inRoom writes something in the room that the request names, and tells its members.
func (p *Plugin) inRoom(s *session, r *request, write func(room int64) (store.Broadcast, error)) error {
	room, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	b, err := write(room)
	if err != nil {
		return err
	}
	p.publish(s, &b)
	return nil
}

func (p *Plugin) members(s *session, r *request) error {
	room, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	members, seq, err := p.store.Members(s.Ctx(), room, s.State.User)
	if err != nil {
		return err
	}
	answer := list(frame(rqGetMembers, names(s)), "members", members, memberObject).number("room_id", room)
	s.SendTold(answer.end(), placeOf(room, seq))
	return nil
}

// ban ends a membership: the one who is banned is told that the room is gone, and hears no more of it.
func (p *Plugin) ban(s *session, r *request) error {
	room, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	user, err := r.id(fUserID)
	if err != nil {
		return err
	}
	b, err := p.store.Ban(s.Ctx(), event(s), room, s.State.User, user)
	if err != nil {
		return err
	}
	p.publish(s, &b)
	return nil
}

// leaveBanned tells the one who is banned that the room is gone, and nothing else.
func (p *Plugin) leaveBanned(s *session, b *store.Broadcast, pub *sdk.Publication) {
	theirs := userChannel(b.User.ID)
	gone := store.Broadcast{Room: b.Room, Kind: store.RoomGone}
	s.Call(sdk.Call{Tag: "ban", Target: sdk.Select{Channel: theirs, Action: sdk.Action{
		Leave:  []string{roomChannel(b.Room)},
		Frames: both(func(names bool) *object { return broadcastFrame(&gone, names) }),
		Told:   sdk.Order{Key: roomChannel(b.Room), Number: math.MaxUint64},
	}}})
	pub.ExceptChannels = []string{theirs}
}
