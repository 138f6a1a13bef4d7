package sdk

import (
	"time"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Message is what crosses protocols. As an event it was published by another protocol on a channel
// that sessions of this plugin joined or that it owns, and goes to an [Encoder] if the plugin is one.
type Message struct {
	// Channel is the first of Channels, and mostly the only one.
	Channel  string
	Channels []string
	Type     string
	Payload  JSON
	Author   Author
	Time     time.Time // zero in Publish means now
	ID       string    // empty in Publish: the core makes one
	Origin   string    // plugin it came from; set by the core
}

// Author is who a message comes from. Empty in Publish means the session's identity.
type Author struct{ Realm, ID string }

// OutFrame is a frame for many receivers.
type OutFrame struct {
	Data   []byte
	Binary bool
	// Variant says which receivers it is for: those whose [Conn.Tune] named it. Empty: those for
	// which there is no other.
	Variant string
	// Slots are places in Data that differ from receiver to receiver, in rising order of At.
	Slots []Slot
}

// Slot is a place in a frame where the core inserts bytes for each receiver.
type Slot struct {
	At int // offset in OutFrame.Data
	// RandomID is the length of a fresh random id of letters, digits, "_" and "-"; 0 means a number.
	RandomID int
	Number   int64
	// Minus names a variable of the receiver that is taken off Number; unknown counts as 0.
	Minus string
}

// TextFrame is a text frame that says: channel, a space, the payload.
func TextFrame(channel string, payload JSON) OutFrame {
	data := make([]byte, 0, len(channel)+1+len(payload))
	data = append(append(data, channel...), ' ')
	return OutFrame{Data: append(data, payload...)}
}

func messageOf(m *pluginv1.Message) Message {
	c := m.GetContent()
	msg := Message{
		Channels: m.GetChannels(),
		Type:     c.GetType(),
		Payload:  c.GetPayload(),
		Author:   Author{c.GetAuthorRealm(), c.GetAuthorId()},
		Time:     time.UnixMilli(c.GetTime()),
		ID:       c.GetId(),
		Origin:   c.GetOrigin(),
	}
	if len(msg.Channels) > 0 {
		msg.Channel = msg.Channels[0]
	}
	return msg
}

func (m *Message) content() *pluginv1.Content {
	c := &pluginv1.Content{
		Type:        m.Type,
		Payload:     m.Payload,
		AuthorRealm: m.Author.Realm,
		AuthorId:    m.Author.ID,
		Id:          m.ID,
	}
	if !m.Time.IsZero() {
		c.Time = m.Time.UnixMilli()
	}
	return c
}

func variantsOf(frames []OutFrame) []*pluginv1.Variant {
	var list []*pluginv1.Variant
	for i := range frames {
		f := &frames[i]
		if f.Data == nil && f.Slots == nil {
			continue
		}
		v := &pluginv1.Variant{Name: f.Variant, Data: f.Data, Binary: f.Binary}
		for _, s := range f.Slots {
			v.Slots = append(v.Slots, &pluginv1.Slot{
				At: uint32(s.At), RandomId: uint32(s.RandomID), Number: s.Number, Minus: s.Minus,
			})
		}
		list = append(list, v)
	}
	return list
}
