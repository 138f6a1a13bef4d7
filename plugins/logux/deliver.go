package logux

import (
	"slices"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Names of the plugin's own channels: each connection is a member of its client's, its node's and, where
// it has one, its user's.
func clientChannel(client string) string { return "$client/" + client }
func nodeChannel(node string) string     { return "$node/" + node }
func userChannel(user string) string     { return "$user/" + user }

// What fan-out takes off the numbers of a frame for each receiver: the base of its connection, in
// milliseconds and in thousandths of them.
const (
	baseVariable  = "base"
	exactVariable = "exact"
)

// numbered is the variant of receivers whose version of the protocol has numbers for subprotocols.
const numbered = "5"

// outgoing is an action on its way to clients.
type outgoing struct {
	action      []byte // JSON
	id          actionID
	time        moment
	subprotocol string // SemVer; empty: not said
}

// frames is the action in a sync for many receivers, in each form that there are receivers for.
func (p *Plugin) frames(o *outgoing) []sdk.OutFrame {
	if o.subprotocol == "" {
		return []sdk.OutFrame{p.frame(o, "", nil)}
	}
	text := rawjson.AppendString(nil, o.subprotocol)
	major, _ := majorOf(o.subprotocol)
	return []sdk.OutFrame{p.frame(o, "", text), p.frame(o, numbered, major)}
}

func (p *Plugin) frame(o *outgoing, variant string, subprotocol []byte) sdk.OutFrame {
	const around = len(`["sync",0,,{"id":[,,],"time":e-3e-3,"subprotocol":}]`) + 2
	f := sdk.OutFrame{Variant: variant, Slots: make([]sdk.Slot, 0, 2)}
	f.Data = make([]byte, 0, around+len(o.action)+len(o.id.node)+len(o.id.counter)+len(subprotocol))
	f.Data = append(append(f.Data, `["sync",0,`...), o.action...)
	f.Data = append(f.Data, `,{"id":`...)
	own := o.id.node == p.node
	switch {
	case own && o.id.counter == "0":
		slot(&f, o.id.ms)
	case own:
		f.Data = append(f.Data, '[')
		slot(&f, o.id.ms)
		f.Data = append(append(append(f.Data, ','), o.id.counter...), ']')
	default:
		f.Data = append(f.Data, '[')
		slot(&f, o.id.ms)
		f.Data = rawjson.AppendString(append(f.Data, ','), o.id.node)
		f.Data = append(append(append(f.Data, ','), o.id.counter...), ']')
	}
	f.Data = append(f.Data, `,"time":`...)
	slot(&f, o.time)
	if subprotocol != nil {
		f.Data = append(append(f.Data, `,"subprotocol":`...), subprotocol...)
	}
	f.Data = append(f.Data, "}]"...)
	return f
}

// slot makes the end of a frame the place of a time. One with a fraction is written in thousandths, with
// an exponent.
func slot(f *sdk.OutFrame, m moment) {
	s := sdk.Slot{At: len(f.Data), Number: int64(m), Minus: exactVariable}
	if ms, ok := m.whole(); ok {
		s.Number, s.Minus = ms, baseVariable
	} else {
		f.Data = append(f.Data, "e-3"...)
	}
	f.Slots = append(f.Slots, s)
}

// publications bring an action to whom it is addressed, to each connection once. Its author has it
// already, and gets it only where its client or its node is named; exclude are clients that do not get
// it at all. m is what other protocols get on the channels; nil: nothing.
func (p *Plugin) publications(o *outgoing, to *logux.Addressees, exclude []string, m *sdk.Message) []sdk.Publication {
	var named, others, except []string
	for _, node := range to.Nodes {
		named = appendPrivate(named, nodeChannel(node))
	}
	for _, client := range to.Clients {
		named = appendPrivate(named, clientChannel(client))
	}
	for _, channel := range to.Channels {
		if sdk.CheckChannel(channel) == nil {
			others = append(others, channel)
		}
	}
	for _, user := range to.Users {
		others = appendPrivate(others, userChannel(user))
	}
	for _, client := range exclude {
		except = appendPrivate(except, clientChannel(client))
	}
	if len(named)+len(others) == 0 {
		return nil
	}
	frames := p.frames(o)
	author := parseNode(o.id.node)
	if len(others) == 0 || author.isServer() {
		return []sdk.Publication{{Channels: append(named, others...), ExceptChannels: except, Message: m, Frames: frames}}
	}
	var list []sdk.Publication
	if len(named) > 0 {
		list = append(list, sdk.Publication{Channels: named, ExceptChannels: except, Frames: frames})
	}
	except = append(slices.Concat(except, named), clientChannel(author.client))
	return append(list, sdk.Publication{Channels: others, ExceptChannels: except, Message: m, Frames: frames})
}

// appendPrivate appends the name of a channel of the plugin's own; one that cannot be is nobody's.
func appendPrivate(list []string, name string) []string {
	if sdk.CheckChannel(strings.TrimPrefix(name, "$")) != nil {
		return list
	}
	return append(list, name)
}

// messageOf is an action as other protocols get it.
func messageOf(action []byte) *sdk.Message {
	typ, payload, more := logux.ActionParts(action)
	if typ == nil {
		return nil
	}
	if payload == nil || more {
		payload = logux.WithoutType(action)
	}
	text, _ := rawjson.Text(typ)
	return &sdk.Message{Type: string(text), Payload: payload}
}

// Encode implements sdk.Encoder: a message of another protocol is the action {"type","payload"}, made by
// this server.
func (p *Plugin) Encode(m sdk.Message) (sdk.OutFrame, error) {
	action := rawjson.AppendString([]byte(`{"type":`), m.Type)
	if len(m.Payload) > 0 {
		action = append(append(action, `,"payload":`...), m.Payload...)
	}
	action = append(action, '}')
	at := millis(m.Time.UnixMilli())
	id := actionID{at, p.node, freshCounter(hashOf(m.ID))}
	return p.frame(&outgoing{action: action, id: id, time: at}, "", nil), nil
}

// hashOf hashes an id of the core's.
func hashOf(id string) uint64 {
	if n, err := strconv.ParseUint(id, 10, 64); err == nil {
		return n * 0x9E3779B97F4A7C15 // spreads a snowflake over all bits
	}
	return fnvOf(id)
}
