package chat

import (
	"encoding/json"
	"strconv"

	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// namesVariant is the variant of broadcasts for sessions of the string form.
const namesVariant = "names"

// object is a JSON object in the making. With names, constants are written by their names.
type object struct {
	b     []byte
	names bool
}

// frame begins an answer or a broadcast.
func frame(k kind, names bool) *object {
	o := &object{make([]byte, 0, 192), names}
	return o.open().constant("type", int(k), kindEnum)
}

func (o *object) open() *object {
	o.b = append(o.b, '{')
	return o
}

func (o *object) key(key string) {
	if last := o.b[len(o.b)-1]; last != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), key...), '"', ':')
}

func (o *object) number(key string, n int64) *object {
	o.key(key)
	o.b = strconv.AppendInt(o.b, n, 10)
	return o
}

func (o *object) text(key, text string) *object {
	o.key(key)
	o.b = rawjson.AppendString(o.b, text)
	return o
}

// constant writes a number or its name; one without a name stays a number.
func (o *object) constant(key string, n int, of enum) *object {
	if !o.names || n < 0 || n >= len(of) {
		return o.number(key, int64(n))
	}
	return o.text(key, of[n])
}

func (o *object) end() []byte { return append(o.b, '}') }

// list writes an array of objects.
func list[T any](o *object, key string, elements []T, write func(*object, *T)) *object {
	o.key(key)
	o.b = append(o.b, '[')
	for i := range elements {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.open()
		write(o, &elements[i])
		o.b = append(o.b, '}')
	}
	o.b = append(o.b, ']')
	return o
}

// both is a broadcast in both forms.
func both(write func(names bool) *object) []sdk.OutFrame {
	return []sdk.OutFrame{{Data: write(false).end()}, {Data: write(true).end(), Variant: namesVariant}}
}

func tokenFrame(u store.User, token string, names bool) *object {
	return frame(rqToken, names).text("token", token).text("login", u.Login).text("desc", u.Desc)
}

// errorFrame says why a request is refused; of an extended code also which, where that is known.
func errorFrame(r *refusal, of kind, names bool) *object {
	o := frame(rqErrorMsg, names)
	if names {
		o.text("error_code", codeNames[r.code])
	} else {
		o.number("error_code", int64(r.code))
	}
	o.text("msg", r.text)
	if r.code >= erBadRequest && of >= 0 {
		o.constant("request", int(of), kindEnum)
	}
	return o
}

// roomObject is a room in a list, where its type is named as a request's is.
func roomObject(o *object, r *store.Room) {
	o.number("id", r.ID).text("name", r.Name).number("customer_id", r.Customer).number("date", r.Date).
		text("desc", r.Desc).constant("type", int(r.Type), roomTypes).number("power", r.Power)
}

// roomFrame is a room in an answer of its own.
func roomFrame(k kind, r *store.Room, names bool) *object {
	return frame(k, names).text("name", r.Name).number("customer_id", r.Customer).number("id", r.ID).
		number("date", r.Date).text("desc", r.Desc).number("power", r.Power).
		constant("room_type", int(r.Type), roomTypes)
}

func memberObject(o *object, m *store.Member) {
	o.number("id", m.ID).text("login", m.Login).constant("type", int(m.Role), memberTypes)
}

// messageObject is a message in a list.
func messageObject(o *object, m *store.Message) {
	status := 0
	if m.Edited {
		status = 1
	}
	o.number("user_id", m.User).number("room_id", m.Room).number("message_id", m.ID).number("date", m.Date).
		text("message", m.Text).constant("msg_type", int(m.Type), msgTypes).number("file_size", m.FileSize).
		text("file_name", m.FileName).constant("status", status, statuses).number("power", m.Power)
}

// said writes the fields of a new message.
func said(o *object, m *store.Message) *object {
	return o.text("message", m.Text).number("room_id", m.Room).number("date", m.Date).number("message_id", m.ID).
		number("user_id", m.User).constant("msg_type", int(m.Type), msgTypes).number("power", m.Power)
}

func powerFrame(room, power int64, names bool) *object {
	return frame(rqUpdRoomPowr, names).number("power", power).number("room_id", room)
}

// broadcastFrame is what a room's members are told of a write.
func broadcastFrame(b *store.Broadcast, names bool) *object {
	switch b.Kind {
	case store.Said:
		return said(frame(rqMsg, names), b.Message)
	case store.Edited:
		return frame(rqEditMsg, names).number("room_id", b.Room).number("msg_id", b.Message.ID).
			text("msg", b.Message.Text).number("power", b.Message.Power)
	case store.MessageGone:
		return frame(rqDelMsg, names).number("room_id", b.Room).number("msg_id", b.Message.ID)
	case store.HistoryGone:
		return frame(rqDelHist, names).number("room_id", b.Room)
	case store.RoomGone:
		return frame(rqDelRoom, names).number("room_id", b.Room)
	case store.Joined:
		return frame(rqNewMember, names).number("user_id", b.User.ID).number("room_id", b.Room).text("login", b.User.Login)
	case store.Renamed:
		return frame(rqUpdRoomName, names).number("room_id", b.Room).text("room_name", b.Text)
	case store.Redescribed:
		return frame(rqUpdRoomDesc, names).number("room_id", b.Room).text("desc", b.Text)
	default: // store.MemberBanned
		return frame(rqBanMember, names).number("room_id", b.Room).number("user_id", b.User.ID)
	}
}

// neutral is a new message as other protocols get it.
func neutral(m *store.Message) json.RawMessage { return said((&object{}).open(), m).end() }
