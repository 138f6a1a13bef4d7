package plugintest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
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
	Join    []string        `json:"join"`  // channels that the session is to join
	Leave   []string        `json:"leave"` // and to leave
	Count   uint64          `json:"count"`

	// Of the auth backend.
	User     string          `json:"user"`
	Claims   json.RawMessage `json:"claims"`
	Channels []string        `json:"channels"`
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
		Raw: r.Raw, Count: r.Count, Channels: r.Channels, Join: r.Join, Leave: r.Leave,
	}
	if a.GetLast() {
		a.Outcome = pluginv1.Outcome(number)
	}
	if r.User != "" {
		a.Identity = &pluginv1.Identity{Realm: "test", UserId: r.User, Claims: r.Claims}
	}
	for _, it := range r.Items {
		a.Items = append(a.Items, &pluginv1.Item{
			Channels: it.Channels, Users: it.Users, Clients: it.Clients, Nodes: it.Nodes, Type: it.Type, Payload: it.Payload,
		})
	}
	return a, nil
}

// question is a call that waits for the transcript to answer it.
type question struct {
	text    string // as the transcript has it
	answers chan *pluginv1.Answer
	seen    bool
}

// host does for a plugin what the core does, with a back-end that a transcript plays. It implements
// pluginhost.Host.
type host struct {
	hub     *hub.Hub
	group   *hub.Group
	foreign *hub.Group // another protocol
	changed func()

	mu        sync.Mutex
	questions []*question
	claims    map[string]*session.Session
	ended     map[*session.Session]bool
}

func (h *host) locked(f func()) {
	h.mu.Lock()
	f()
	h.mu.Unlock()
	h.changed()
}

func (h *host) Join(s *session.Session, channel string) bool { h.group.Join(s, channel); return true }
func (h *host) Leave(s *session.Session, channel string)     { h.group.Leave(s, channel) }
func (h *host) Gone(s *session.Session, _ int)               { h.group.Remove(s) }

func (h *host) Opened(s *session.Session, who *session.Admission) []string {
	h.group.Add(s)
	if who == nil || s.Info.HTTP {
		return nil
	}
	for _, c := range who.Channels {
		h.group.Join(s, c)
	}
	return who.Channels
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

// Publish delivers to this plugin's sessions, and shows the back-end what other protocols would get.
func (h *host) Publish(author *session.Identity, pub *pluginv1.Publish, dirty *session.Dirty) (int, error) {
	n := h.group.Publish(pub.GetChannels(), pub.GetExcept(), variantsOf(pub.GetVariants()), dirty)
	if c := pub.GetContent(); c != nil {
		m := &hub.Message{Type: c.GetType(), Payload: c.GetPayload(), Realm: c.GetAuthorRealm(), UserID: c.GetAuthorId()}
		if author != nil && m.UserID == "" {
			m.Realm, m.UserID = author.Realm, author.UserID
		}
		h.group.Hand(pub.GetChannels(), m)
	}
	return n, nil
}

func (h *host) Encoded(channels []string, list []*pluginv1.Variant, dirty *session.Dirty) {
	h.group.Publish(channels, nil, variantsOf(list), dirty)
}

func variantsOf(list []*pluginv1.Variant) []hub.Variant {
	out := make([]hub.Variant, 0, len(list))
	for _, v := range list {
		hv := hub.Variant{Name: v.GetName(), Data: v.GetData(), Binary: v.GetBinary()}
		for _, s := range v.GetSlots() {
			hv.Slots = append(hv.Slots, hub.Slot{At: int(s.GetAt()), RandomID: int(s.GetRandomId()), Number: s.GetNumber(), Minus: s.GetMinus()})
		}
		out = append(out, hv)
	}
	return out
}

func (h *host) ask(ctx context.Context, text string, emit func(*pluginv1.Answer)) {
	q := &question{text: strings.TrimSpace(text), answers: make(chan *pluginv1.Answer)}
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
	text := fmt.Sprintf("ask %s %s", ask.GetType(), ask.GetPayload())
	switch {
	case ask.GetRaw() != nil:
		text = fmt.Sprintf("ask raw %s", ask.GetRaw())
	case ask.GetPurpose() != "" && ask.GetPurpose() != "message":
		text = fmt.Sprintf("%s %s %s", ask.GetPurpose(), ask.GetChannel(), ask.GetPayload())
	}
	h.ask(ctx, text, emit)
}

func (h *host) Authenticate(ctx context.Context, info *pluginhost.CallInfo, req *pluginv1.Authenticate) *pluginv1.Answer {
	token := "-"
	if req.GetHasToken() {
		token = req.GetToken()
	}
	var answer *pluginv1.Answer
	h.ask(ctx, fmt.Sprintf("authenticate %s %s", token, req.GetPayload()), func(a *pluginv1.Answer) { answer = a })
	if id := answer.GetIdentity(); id != nil && info.Session != nil {
		info.Session.SetIdentity(&session.Identity{Realm: id.GetRealm(), UserID: id.GetUserId(), Claims: id.GetClaims()})
	}
	return answer
}

func (h *host) Act(_ *session.Identity, act *pluginv1.Act) (uint64, error) {
	s, g := h.hub.Session(act.GetSession())
	if s == nil || g != h.group {
		return 0, nil
	}
	h.do(s, act.GetAction())
	return 1, nil
}

func (h *host) Select(_ *session.Identity, sel *pluginv1.Select) (uint64, error) {
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

func (h *host) do(s *session.Session, a *pluginv1.Action) {
	for _, c := range a.GetJoin() {
		h.group.Join(s, c)
	}
	for _, c := range a.GetLeave() {
		h.group.Leave(s, c)
	}
	for _, kv := range a.GetContext() {
		s.PutContext(kv.GetKey(), kv.GetValue())
	}
	var dirty session.Dirty
	h.group.Send(s, variantsOf(a.GetFrames()), &dirty)
	dirty.Flush()
	if c := a.GetClose(); c != nil {
		s.Close(int(max(c.GetCode(), 1000)), c.GetReason())
	}
}

func (h *host) Claim(s *session.Session, c *pluginv1.Claim) bool {
	var evicted *session.Session
	granted := true
	h.locked(func() {
		switch old := h.claims[c.GetName()]; {
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
	return granted
}

func (h *host) Release(s *session.Session, name string) {
	h.locked(func() {
		if h.claims[name] == s {
			delete(h.claims, name)
		}
	})
}
