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

// into fills the contract's form, which is as new.
func (m *Message) into(c *pluginv1.Content) {
	c.Type, c.Payload = m.Type, m.Payload
	c.AuthorRealm, c.AuthorId, c.Id = m.Author.Realm, m.Author.ID, m.ID
	if !m.Time.IsZero() {
		c.Time = m.Time.UnixMilli()
	}
}

// pubCall is a publication in the contract's form. A turn uses them again and again: where what clients say
// goes to others, one comes for each frame.
type pubCall struct {
	pb       pluginv1.Publish
	content  pluginv1.Content
	variants []pluginv1.Variant
	slots    []pluginv1.Slot
	list     []*pluginv1.Variant
	places   []*pluginv1.Slot
}

// keepSlots bounds what a pubCall keeps of variants, and of slots.
const keepSlots = 64

func (t *turn) pub() *pubCall {
	if t.spoke == len(t.pubs) {
		t.pubs = append(t.pubs, new(pubCall))
	}
	t.spoke++
	return t.pubs[t.spoke-1]
}

// forget makes it as new, but for the memory.
func (p *pubCall) forget() {
	p.pb.Reset()
	p.content.Reset()
	if cap(p.variants) > keepSlots || cap(p.slots) > keepSlots {
		p.variants, p.slots, p.list, p.places = nil, nil, nil, nil
	}
	for i := range p.variants {
		p.variants[i].Reset()
	}
	for i := range p.slots {
		p.slots[i].Reset()
	}
}

// frames is variantsOf in the memory that there is.
func (p *pubCall) frames(frames []OutFrame) []*pluginv1.Variant {
	slots := 0
	for i := range frames {
		slots += len(frames[i].Slots)
	}
	if cap(p.variants) < len(frames) {
		p.variants, p.list = make([]pluginv1.Variant, len(frames)), make([]*pluginv1.Variant, len(frames))
	}
	if cap(p.slots) < slots {
		p.slots, p.places = make([]pluginv1.Slot, slots), make([]*pluginv1.Slot, slots)
	}
	p.variants, p.slots = p.variants[:len(frames)], p.slots[:slots]
	n, at := 0, 0
	for i := range frames {
		f := &frames[i]
		if f.Data == nil && f.Slots == nil {
			continue
		}
		v := &p.variants[n]
		p.list[n] = v
		n++
		v.Name, v.Data, v.Binary = f.Variant, f.Data, f.Binary
		from := at
		for _, s := range f.Slots {
			p.places[at] = fill(&p.slots[at], s)
			at++
		}
		v.Slots = p.places[from:at:at]
	}
	return p.list[:n:n]
}

func fill(to *pluginv1.Slot, s Slot) *pluginv1.Slot {
	to.At, to.RandomId, to.Number, to.Minus = uint32(s.At), uint32(s.RandomID), s.Number, s.Minus
	return to
}

func variantsOf(frames []OutFrame) []*pluginv1.Variant {
	list := make([]*pluginv1.Variant, 0, len(frames))
	all := make([]pluginv1.Variant, len(frames)) // in one piece
	for i := range frames {
		f := &frames[i]
		if f.Data == nil && f.Slots == nil {
			continue
		}
		v := &all[len(list)]
		v.Name, v.Data, v.Binary = f.Variant, f.Data, f.Binary
		if n := len(f.Slots); n > 0 {
			slots := make([]pluginv1.Slot, n) // all in one piece
			v.Slots = make([]*pluginv1.Slot, n)
			for i, s := range f.Slots {
				v.Slots[i] = fill(&slots[i], s)
			}
		}
		list = append(list, v)
	}
	return list
}
