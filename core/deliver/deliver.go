// Package deliver does on this node what the contract's messages say of sessions and channels: for the
// engine, and for the host that a plugin is tested with, so that both do the same. Who may do so, and what
// other nodes and protocols get, is the caller's business.
package deliver

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Publish delivers to the members of the channels when it is the publish's turn: at once where it has no
// order, else then or now. In that turn done is called with how many were reached, which is also
// returned where the turn was at once. dropped is called instead where the publish was delivered before.
func Publish(g *hub.Group, channels []string, pub *pluginv1.Publish, dirty *session.Dirty, done func(session.Reached), dropped func()) (reached session.Reached) {
	at := session.Order{Key: pub.GetOrderKey(), Number: pub.GetOrderNumber(), Always: pub.GetAlways()}
	now := func(dirty *session.Dirty) session.Reached {
		if len(pub.GetVariants()) > 0 && g.ReachesNobody(channels) { // no frames are made for that
			done(session.Reached{})
			return session.Reached{}
		}
		except := hub.Except{IDs: pub.GetExcept(), Channels: pub.GetExceptChannels()}
		n := g.PublishAll(at, channels, except, frames(pub), dirty)
		done(n)
		return n
	}
	if at.Key == "" {
		return now(dirty)
	}
	g.InOrder(at, proto.Size(pub), dirty, func(d *session.Dirty) { now(d) }, dropped)
	return reached
}

// Told has publishes pass a session by whose client is told what they say; known says that it was told
// before.
func Told(g *hub.Group, s *session.Session, what session.Order) (known bool) {
	g.Reached(what)
	return s.Mark(what)
}

// Host is what an action needs besides the hub.
type Host interface {
	// ChangeContext changes the context as the action says; false: it has no room, and nothing was done.
	ChangeContext(s *session.Session, do *pluginv1.Action) bool
	// Join makes a session a member of a channel; false: it may not be one.
	Join(s *session.Session, name string) bool
	// Leave ends a membership.
	Leave(s *session.Session, name string)
}

// Act does what an action says, and says whether all of it could be done. Nothing is where the context has
// no room.
func Act(h Host, g *hub.Group, s *session.Session, do *pluginv1.Action, dirty *session.Dirty) bool {
	if !h.ChangeContext(s, do) {
		return false
	}
	ok := true
	for _, c := range do.GetJoin() {
		ok = h.Join(s, c) && ok
	}
	for _, c := range do.GetLeave() {
		h.Leave(s, c)
	}
	key := do.GetWatermarkKey()
	known := key != "" && Told(g, s, session.Order{Key: key, Number: do.GetWatermarkNumber()})
	if !known && len(do.GetFrames()) > 0 {
		ok = g.Send(s, Variants(do.GetFrames()), dirty) && ok
	}
	if c := do.GetClose(); c != nil {
		code := int(c.GetCode())
		if code == 0 {
			code = session.CloseNormal.Code
		}
		s.Close(code, c.GetReason())
	}
	return ok
}

// Room says whether a session, which is on some channels, may join all of others beside them: most in all,
// and those alone that it may join.
func Room(on, join []string, most int, may func(name string) bool) bool {
	n := len(on)
	for i, name := range join {
		if channel.CheckOwn(name) != nil || !may(name) {
			return false
		}
		if !slices.Contains(on, name) && !slices.Contains(join[:i], name) {
			n++
		}
	}
	return n <= most
}

// frames are those of a publish.
func frames(pub *pluginv1.Publish) [][]hub.Variant {
	list := make([][]hub.Variant, 0, 1+len(pub.GetThen()))
	list = append(list, Variants(pub.GetVariants()))
	for _, f := range pub.GetThen() {
		list = append(list, Variants(f.GetVariants()))
	}
	return list
}

// Variants are the contract's in the hub's form. A slot beyond its frame, or behind the one before
// it, is left out: what the plugin meant by it cannot be known. The bytes are not copied.
func Variants(list []*pluginv1.Variant) []hub.Variant {
	out := make([]hub.Variant, 0, len(list))
	for _, v := range list {
		h := hub.Variant{Name: v.GetName(), Data: v.GetData(), Binary: v.GetBinary()}
		at := 0
		h.Slots = slices.Grow(h.Slots, len(v.GetSlots()))
		for _, s := range v.GetSlots() {
			if int(s.GetAt()) < at || int(s.GetAt()) > len(h.Data) || s.GetRandomId() > maxRandomID {
				continue
			}
			at = int(s.GetAt())
			h.Slots = append(h.Slots, hub.Slot{At: at, RandomID: int(s.GetRandomId()), Number: s.GetNumber(), Minus: s.GetMinus()})
		}
		out = append(out, h)
	}
	return out
}

// maxRandomID bounds what one slot may ask for.
const maxRandomID = 256
