package core

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/deliver"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/snowflake"
	clusterv1 "github.com/protocol-bridge/bridge/proto/bridge/cluster/v1"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Nodes are the other nodes of a cluster, and this one's place among them.
type Nodes interface {
	claimer
	// Node is this one's number. Before is until when ids of it may have been made by others, in ms since
	// 1970.
	Node() uint16
	Before() int64
	// Lost says why the number is this node's no more; nil while it is.
	Lost() error
	// Others are those that live, by number. The list is not changed.
	Others() []cluster.Member
	// Send sends a message to all others, without waiting for anything.
	Send(m *clusterv1.Envelope) error
	// Ask and AskAll wait a second at most for answers, of those that live.
	Ask(ctx context.Context, node uint16, m *clusterv1.Envelope) (*clusterv1.Answer, bool)
	AskAll(ctx context.Context, m *clusterv1.Envelope) (answers map[uint16]*clusterv1.Answer, silent []cluster.Member)
}

// nodes join an engine to those of the other nodes.
type nodes struct {
	Nodes
	engine *Engine
	names  *names

	mu  sync.Mutex
	saw map[sight]uint64 // how many members a node had when it answered last; guarded by mu
}

// sight is what a node said of the channels of one publish.
type sight struct {
	run, plugin, channels string
}

// mostSights is how many are kept.
const mostSights = 10_000

// Join makes the engine that of a node in a cluster, before it has plugins.
func (e *Engine) Join(n Nodes) {
	e.joined.Store(&nodes{Nodes: n, engine: e, names: newNames(n, &e.claims), saw: make(map[sight]uint64)})
	e.ids.SetNode(n.Node())
	e.ids.Pass(n.Before())
}

// others says whether there is somebody to speak to.
func (n *nodes) others() bool { return n != nil && len(n.Others()) > 0 }

func (n *nodes) send(m *clusterv1.Envelope) {
	if err := n.Send(m); err != nil {
		n.engine.complain("message does not reach the other nodes", err)
	}
}

// complain logs what clients can cause.
func (e *Engine) complain(what string, err error) {
	if dropped, ok := e.quiet.Allow(e.cfg.Clock.Now()); ok {
		e.log.Warn("trouble between nodes", "what", what, "err", err, "dropped", dropped)
	}
}

// publication is a publish as it goes to other nodes. m is its content; nil: it has none. What the plugin
// reserves goes without, as not all nodes may have the plugin and know of that.
func (n *nodes) publication(a *attached, channels []string, pub *pluginv1.Publish, m *hub.Message) *clusterv1.Envelope {
	out := &pluginv1.Publish{
		Channels: channels, Except: pub.GetExcept(), ExceptChannels: pub.GetExceptChannels(), Variants: pub.GetVariants(),
		Then: pub.GetThen(), OrderKey: pub.GetOrderKey(), OrderNumber: pub.GetOrderNumber(), Always: pub.GetAlways(),
	}
	p := &clusterv1.Publish{Plugin: a.Label(), Publish: out}
	if m != nil && !a.group.Load().Reserves(m.Type) {
		out.Content, p.Deputies = contentProto(m), n.deputies(channels)
	}
	return &clusterv1.Envelope{Body: &clusterv1.Envelope_Publish{Publish: p}}
}

// count adds what other nodes delivered of a publish.
func (n *nodes) count(ctx context.Context, m *clusterv1.Envelope, reached *session.Reached) {
	p := m.GetPublish()
	answers, silent := n.AskAll(ctx, m)
	channels := strings.Join(p.GetPublish().GetChannels(), " ")
	others := n.Others()
	n.mu.Lock()
	defer n.mu.Unlock()
	for node, a := range answers {
		reached.Took += a.GetCount()
		reached.Failed += a.GetFailed()
		i := slices.IndexFunc(others, func(m cluster.Member) bool { return m.Node == node })
		if i < 0 {
			continue
		}
		if len(n.saw) >= mostSights {
			clear(n.saw)
		}
		n.saw[sight{others[i].Run, p.GetPlugin(), channels}] = a.GetCount() + a.GetFailed()
	}
	for _, m := range silent {
		reached.Failed += n.saw[sight{m.Run, p.GetPlugin(), channels}]
	}
}

// deputies are the nodes whose plugins get what is published on channels that no plugin of this node owns.
func (n *nodes) deputies(channels []string) []*clusterv1.Deputy {
	var list []*clusterv1.Deputy
	for _, c := range channels {
		if n.engine.hub.Owned(c) {
			continue
		}
		for _, m := range n.Others() {
			if slices.ContainsFunc(m.Owns, func(prefix string) bool { return strings.HasPrefix(c, prefix) }) {
				list = append(list, &clusterv1.Deputy{Channel: c, Node: uint32(m.Node)})
				break
			}
		}
	}
	return list
}

// standsFor are the channels whose owner this node is to hand a message to.
func (n *nodes) standsFor(list []*clusterv1.Deputy) []string {
	var mine []string
	for _, d := range list {
		if uint16(d.GetNode()) == n.Node() {
			mine = append(mine, d.GetChannel())
		}
	}
	return mine
}

// Beat is what this node says of itself.
func (n *nodes) Beat() *clusterv1.Beat {
	b := &clusterv1.Beat{Sessions: uint64(n.engine.sessions())}
	n.engine.mu.RLock()
	defer n.engine.mu.RUnlock()
	for _, a := range n.engine.plugins {
		b.Owns = append(b.Owns, a.owns...)
		if about := a.About(); len(about) > 0 {
			if b.About == nil {
				b.About = make(map[string][]byte)
			}
			b.About[a.Label()] = about
		}
	}
	return b
}

// Evicted closes the session whose name became another node's.
func (n *nodes) Evicted(key string, revision uint64, why cluster.Eviction) {
	n.names.evict(key, revision, func(s *session.Session) { s.Close(why.Code, why.Reason) })
}

// Take does what another node asks for.
func (n *nodes) Take(_ uint16, m *clusterv1.Envelope) *clusterv1.Answer {
	e := n.engine
	switch b := m.GetBody().(type) {
	case *clusterv1.Envelope_Publish:
		pub, owned := b.Publish.GetPublish(), n.standsFor(b.Publish.GetDeputies())
		if a := e.attached(b.Publish.GetPlugin()); a != nil && a.group.Load() != nil {
			return answerReached(a.published(pub, owned))
		}
		if c := pub.GetContent(); c != nil { // there are others for whom it is
			e.hub.HandOver(publicOnly(pub.GetChannels()), contentMessage(c), owned)
		}
	case *clusterv1.Envelope_Act:
		if a := e.attached(b.Act.GetPlugin()); a != nil && a.group.Load() != nil {
			return answerReached(a.actHere(b.Act.GetAct()))
		}
	case *clusterv1.Envelope_Select:
		if a := e.attached(b.Select.GetPlugin()); a != nil && a.group.Load() != nil {
			count, err := a.selectHere(b.Select.GetSelect())
			return answerCount(count, err)
		}
	case *clusterv1.Envelope_Tell:
		if a := e.attached(b.Tell.GetPlugin()); a != nil {
			a.TellHere(b.Tell.GetKey(), b.Tell.GetData())
		}
	case *clusterv1.Envelope_Hand:
		m := contentMessage(b.Hand.GetContent())
		return answerCount(uint64(e.hub.HandOver([]string{b.Hand.GetChannel()}, m, n.standsFor(b.Hand.GetDeputies()))), nil)
	case *clusterv1.Envelope_Close:
		var req admin.CloseRequest
		if err := json.Unmarshal(b.Close.GetRequest(), &req); err != nil {
			return answerCount(0, err)
		}
		return answerCount(uint64(e.closeHere(&req)), nil)
	case *clusterv1.Envelope_Sessions:
		var q admin.SessionQuery
		if err := json.Unmarshal(b.Sessions.GetQuery(), &q); err != nil {
			return answerCount(0, err)
		}
		page, err := json.Marshal(e.sessionsHere(q))
		if err != nil {
			return answerCount(0, err)
		}
		return &clusterv1.Answer{Page: page}
	}
	return nil // of a later release, perhaps
}

func answerReached(n session.Reached) *clusterv1.Answer {
	return &clusterv1.Answer{Count: n.Took, Failed: n.Failed}
}

func answerCount(n uint64, err error) *clusterv1.Answer {
	if err != nil {
		return &clusterv1.Answer{Error: err.Error()}
	}
	return &clusterv1.Answer{Count: n}
}

// published delivers here what was published on another node.
func (a *attached) published(pub *pluginv1.Publish, owned []string) session.Reached {
	var dirty session.Dirty
	defer dirty.Flush()
	g := a.group.Load()
	return deliver.Publish(g, pub.GetChannels(), pub, &dirty, func(n session.Reached) {
		a.failed(n)
		if c := pub.GetContent(); c != nil {
			g.HandOver(publicOnly(pub.GetChannels()), contentMessage(c), owned)
		}
	}, ignored)
}

// home is the number of the other node that a session is on; false: it is on this one.
func (n *nodes) home(id uint64) (uint16, bool) {
	if n == nil {
		return 0, false
	}
	node := snowflake.Node(id)
	return node, node != n.Node()
}

// Nodes lists the nodes that live.
func (a *attached) Nodes() ([]*pluginv1.Node, error) {
	n := a.engine.nodes()
	if err := n.away(); err != nil {
		return nil, err
	}
	list := []*pluginv1.Node{{Number: uint32(a.engine.node()), About: a.About()}}
	if n != nil {
		for _, m := range n.Others() {
			list = append(list, &pluginv1.Node{Number: uint32(m.Node), About: m.About[a.Label()]})
		}
	}
	return list, nil
}

// away is why no other node can be asked; nil: they can, or there are none.
func (n *nodes) away() error {
	if n == nil {
		return nil
	}
	if err := n.Lost(); err != nil {
		return fmt.Errorf("%w: %w", pluginhost.ErrAway, err)
	}
	return nil
}

// askCount asks all other nodes and adds up what they count.
func (n *nodes) askCount(ctx context.Context, m *clusterv1.Envelope) (count uint64) {
	if !n.others() {
		return 0
	}
	answers, _ := n.AskAll(ctx, m)
	for a := range maps.Values(answers) {
		count += a.GetCount()
	}
	return count
}
