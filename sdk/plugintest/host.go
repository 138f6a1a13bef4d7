package plugintest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/deliver"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Reply is the answer of a back-end in a transcript, after "@ =". The zero value says that it was
// done, and nothing else.
type Reply struct {
	Payload json.RawMessage `json:"payload"`
	Items   []struct {
		Channels, Users, Clients, Nodes []string
		Type                            string
		Payload                         json.RawMessage
	} `json:"items"`
	// Outcome is "ok" (also when empty), "denied", "unknown_type", "error", "unavailable", "cancelled"
	// or "other".
	Outcome string          `json:"outcome"`
	Reason  string          `json:"reason"`
	More    bool            `json:"more"` // another answer to the same question follows
	Raw     json.RawMessage `json:"raw"`
	// Together, in place of Raw, are elements that came at once: for a question that takes them so.
	Together []json.RawMessage `json:"together"`

	Join  []string `json:"join"`  // channels that the session is to join
	Leave []string `json:"leave"` // and to leave
	Count uint64   `json:"count"`

	// Of the auth backend.
	User     string          `json:"user"`
	Claims   json.RawMessage `json:"claims"`
	Channels []string        `json:"channels"`
	// Subprotocol is the version that it says it speaks, Supported with "other" what the client could have
	// used.
	Subprotocol string `json:"subprotocol"`
	Supported   string `json:"supported"`
}

func (r *Reply) answer() (*pluginv1.Answer, error) {
	outcome := strings.ToUpper("OUTCOME_" + r.Outcome)
	if r.Outcome == "" {
		outcome = "OUTCOME_OK"
	}
	number, ok := pluginv1.Outcome_value[outcome]
	if !ok {
		return nil, fmt.Errorf("outcome %q is unknown", r.Outcome)
	}
	a := &pluginv1.Answer{
		Last: !r.More, Reason: r.Reason, Payload: r.Payload, HasPayload: r.Payload != nil,
		Raw: r.Raw, Count: r.Count, Channels: public(r.Channels), Join: public(r.Join), Leave: public(r.Leave),
		Subprotocol: r.Subprotocol, Supported: r.Supported,
	}
	for i, element := range r.Together {
		if i > 0 {
			a.Raw = append(a.GetRaw(), ',')
		}
		a.Raw = append(a.GetRaw(), element...)
	}
	if a.GetLast() {
		a.Outcome = pluginv1.Outcome(number)
	}
	if r.User != "" {
		a.Identity = &pluginv1.Identity{Realm: "test", UserId: r.User, Claims: r.Claims}
	}
	for _, it := range r.Items {
		channels := public(it.Channels)
		if len(it.Channels) > 0 && len(channels)+len(it.Users)+len(it.Clients)+len(it.Nodes) == 0 {
			continue
		}
		a.Items = append(a.Items, &pluginv1.Item{
			Channels: channels, Users: it.Users, Clients: it.Clients, Nodes: it.Nodes, Type: it.Type, Payload: it.Payload,
		})
	}
	return a, nil
}

// public is what comes from outside without the names that are a plugin's own.
func public(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), channel.IsPrivate)
}

// asking is a call that waits for the transcript to answer it.
type asking struct {
	text     string // as the transcript has it
	together bool   // several elements may come in one answer
	answers  chan *pluginv1.Answer
	seen     bool
}

// host does for a plugin what the core does, with a back-end that a transcript plays. It implements
// pluginhost.Host.
type host struct {
	hub     *hub.Hub
	group   *hub.Group
	foreign *hub.Group // another protocol
	changed func()
	roles   map[string]string                             // of the routes, by their ids
	context func(*session.Session, *pluginv1.Action) bool // changes that of a session

	mu        sync.Mutex
	questions []*asking
	claims    map[string]*session.Session
	ended     map[*session.Session]bool
}

func (h *host) locked(f func()) {
	h.mu.Lock()
	f()
	h.mu.Unlock()
	h.changed()
}

func (h *host) Leave(s *session.Session, channel string) { h.group.Leave(s, channel) }
func (h *host) Gone(s *session.Session, _ int)           { h.group.Remove(s) }

// Join makes the session a member, of a private channel too.
func (h *host) Join(s *session.Session, name string) bool {
	if channel.CheckOwn(name) != nil {
		return false
	}
	h.group.Join(s, name)
	return true
}

func (h *host) Opened(s *session.Session, who *session.Admission) []string {
	h.group.Add(s)
	if who == nil || s.Info.HTTP {
		return nil
	}
	var joined []string
	for _, c := range public(who.Channels) {
		if h.Join(s, c) {
			joined = append(joined, c)
		}
	}
	return joined
}

func (h *host) Ended(s *session.Session) {
	h.locked(func() {
		h.ended[s] = true
		for name, holder := range h.claims {
			if holder == s {
				delete(h.claims, name)
			}
		}
	})
}

// Publish delivers to this plugin's sessions, and hands the message to the other protocol.
func (h *host) Publish(author *session.Identity, _ string, pub *pluginv1.Publish, dirty *session.Dirty) {
	_, _ = h.publish(author, pub, dirty) // a refusal is logged by the core
}

// Count publishes without an order.
func (h *host) Count(_ context.Context, author *session.Identity, _ string, pub *pluginv1.Publish, dirty *session.Dirty) (session.Reached, error) {
	pub = proto.CloneOf(pub)
	pub.OrderKey = ""
	return h.publish(author, pub, dirty)
}

// Tell has nobody to tell on another node.
func (h *host) Tell(string, []byte) {}

func (h *host) publish(author *session.Identity, pub *pluginv1.Publish, dirty *session.Dirty) (session.Reached, error) {
	var refusal error
	channels := slices.DeleteFunc(slices.Clone(pub.GetChannels()), func(name string) bool {
		err := channel.CheckOwn(name)
		refusal = cmp.Or(err, refusal)
		return err != nil
	})
	if len(channels) == 0 {
		return session.Reached{}, refusal
	}
	return deliver.Publish(h.group, channels, pub, dirty, func(session.Reached) {
		if c := pub.GetContent(); c != nil {
			m := &hub.Message{Type: c.GetType(), Payload: c.GetPayload(), Realm: c.GetAuthorRealm(), UserID: c.GetAuthorId()}
			if author != nil && m.UserID == "" {
				m.Realm, m.UserID = author.Realm, author.UserID
			}
			h.group.Hand(public(channels), m)
		}
		h.changed()
	}, h.changed), nil
}

func (h *host) Told(s *session.Session, what session.Order) { deliver.Told(h.group, s, what) }

func (h *host) Encoded(channels []string, list []*pluginv1.Variant, dirty *session.Dirty) {
	h.group.Publish(channels, hub.Except{}, deliver.Variants(list), dirty)
}

func (h *host) ask(ctx context.Context, text string, together bool, emit func(*pluginv1.Answer)) {
	q := &asking{text: text, together: together, answers: make(chan *pluginv1.Answer)}
	h.locked(func() { h.questions = append(h.questions, q) })
	for {
		select {
		case a := <-q.answers:
			emit(a)
			if a.GetLast() {
				return
			}
		case <-ctx.Done():
			emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_UNAVAILABLE})
			return
		}
	}
}

func (h *host) Ask(ctx context.Context, _ *pluginhost.CallInfo, ask *pluginv1.Ask, emit func(*pluginv1.Answer)) {
	h.ask(ctx, asked(ask), ask.GetTogether(), emit)
}

func (h *host) Authenticate(ctx context.Context, info *pluginhost.CallInfo, req *pluginv1.Authenticate) *pluginv1.Answer {
	var answer *pluginv1.Answer
	h.ask(ctx, authentication(req), false, func(a *pluginv1.Answer) { answer = a })
	answer.OnBehalf = req.GetOnBehalf()
	if id := answer.GetIdentity(); id != nil && info.Session != nil && !req.GetOnBehalf() {
		info.Session.SetIdentity(&session.Identity{Realm: id.GetRealm(), UserID: id.GetUserId(), Claims: id.GetClaims()})
	}
	return answer
}

func (h *host) Act(_ context.Context, _ *session.Identity, act *pluginv1.Act) (n session.Reached, err error) {
	s, g := h.hub.Session(act.GetSession())
	if s == nil || g != h.group || s.Info.HTTP || s.IsClosing() || act.GetRole() != "" && h.roles[s.Info.Route] != act.GetRole() {
		return n, nil
	}
	if h.room(s, act.GetAction().GetJoin()) && h.do(s, act.GetAction()) {
		n.Took = 1
	} else {
		n.Failed = 1
	}
	return n, nil
}

// mostChannels is how many channels a session may join.
const mostChannels = 1000

// room says whether a session may join all of the channels beside those that it is on.
func (h *host) room(s *session.Session, join []string) bool {
	return deliver.Room(h.hub.Channels(s), join, mostChannels, func(string) bool { return true })
}

// Nodes are this one alone.
func (h *host) Nodes() ([]*pluginv1.Node, error) { return []*pluginv1.Node{{}}, nil }

func (h *host) Select(_ context.Context, _ *session.Identity, sel *pluginv1.Select) (uint64, error) {
	selection, err := pluginhost.NewSelection(sel)
	if err != nil {
		return 0, err
	}
	var all []*session.Session
	h.hub.Each(func(s *session.Session, g *hub.Group) {
		if g == h.group {
			all = append(all, s)
		}
	})
	if c := sel.GetChannel(); c != "" {
		all = h.group.Members(c)
	}
	n := uint64(0)
	for _, s := range all {
		// A request is nobody who could get a frame.
		if !s.Info.HTTP && selection.Has(s.Identity()) {
			h.do(s, sel.GetAction())
			n++
		}
	}
	return n, nil
}

func (h *host) do(s *session.Session, a *pluginv1.Action) bool {
	var dirty session.Dirty
	defer dirty.Flush()
	return deliver.Act(h, h.group, s, a, &dirty)
}

// ChangeContext is the plugin's.
func (h *host) ChangeContext(s *session.Session, a *pluginv1.Action) bool { return h.context(s, a) }

func (h *host) Claim(_ context.Context, s *session.Session, c *pluginv1.Claim) (bool, error) {
	var evicted *session.Session
	granted := true
	h.locked(func() {
		switch old := h.claims[c.GetName()]; {
		case s.IsClosing() || s.HasEnded():
			granted = false
			return
		case old == s:
			return
		case old != nil && !c.GetTakeOver():
			granted = false
			return
		default:
			evicted = old
		}
		h.claims[c.GetName()] = s
	})
	if evicted != nil {
		evicted.Close(int(max(c.GetCloseCode(), 1000)), c.GetCloseReason())
	}
	return granted, nil
}

func (h *host) Release(s *session.Session, name string) {
	h.locked(func() {
		if h.claims[name] == s {
			delete(h.claims, name)
		}
	})
}
