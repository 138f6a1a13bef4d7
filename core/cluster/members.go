package cluster

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	clusterv1 "github.com/protocol-bridge/bridge/proto/bridge/cluster/v1"
)

const (
	beatEvery = 500 * time.Millisecond
	// goneAfter is how long a node that is not heard of is waited for.
	goneAfter = 4 * time.Second
	// listenFor is how long one listens to be sure whether somebody is there.
	listenFor = 3 * beatEvery
)

// Member is another node as it was heard of last.
type Member struct {
	Node     uint16
	Run      string // names the process
	Host     string
	Version  string // of Bridge
	Sessions uint64
	Owns     []string          // channel prefixes of its plugins
	About    map[string][]byte // what its plugins say of themselves, by label
}

// members are the other nodes that live.
type members struct {
	began time.Time
	live  atomic.Pointer[[]Member] // by number; replaced, never changed

	mu    sync.Mutex // guards what follows
	known map[string]*member
}

type member struct {
	Member
	heard time.Time
}

func (m *members) init() {
	m.began, m.known = time.Now(), make(map[string]*member)
	m.live.Store(new([]Member))
}

func (m *members) lives(run string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[run] != nil
}

// Others are the other nodes that live, by number. The list is not to be changed.
func (c *Cluster) Others() []Member { return *c.members.live.Load() }

// Other is the node of that number; false when it does not live.
func (c *Cluster) Other(node uint16) (Member, bool) {
	others := c.Others()
	i := slices.IndexFunc(others, func(m Member) bool { return m.Node == node })
	if i < 0 {
		return Member{}, false
	}
	return others[i], true
}

// publish makes what is known what is seen. The caller holds mu.
func (m *members) publish() {
	list := make([]Member, 0, len(m.known))
	for _, k := range m.known {
		list = append(list, k.Member)
	}
	slices.SortFunc(list, func(a, b Member) int { return int(a.Node) - int(b.Node) })
	m.live.Store(&list)
}

// hear notes a beat, and says whether it is the first of that process.
func (m *members) hear(from *clusterv1.Envelope, now time.Time) (first bool) {
	b := from.GetBeat()
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.known[from.GetRun()]
	if first = k == nil; first {
		k = new(member)
		m.known[from.GetRun()] = k
	}
	was := k.Member
	k.heard = now
	k.Member = Member{
		Node: uint16(from.GetNode()), Run: from.GetRun(), Host: b.GetHost(), Version: b.GetVersion(),
		Sessions: b.GetSessions(), Owns: b.GetOwns(), About: b.GetAbout(),
	}
	if first || was.Sessions != k.Sessions || !slices.Equal(was.Owns, k.Owns) || !maps.EqualFunc(was.About, k.About, bytes.Equal) {
		m.publish()
	}
	return first
}

// leave forgets a process, and says whether it was known.
func (m *members) leave(run string) (Member, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.known[run]
	if k == nil {
		return Member{}, false
	}
	delete(m.known, run)
	m.publish()
	return k.Member, true
}

// lose forgets those that have not been heard of for too long.
func (m *members) lose(now time.Time) []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gone []Member
	for run, k := range maps.All(m.known) {
		if now.Sub(k.heard) > goneAfter {
			gone = append(gone, k.Member)
			delete(m.known, run)
		}
	}
	if len(gone) > 0 {
		m.publish()
	}
	return gone
}

// beats says that this node lives, and finds who does not.
func (c *Cluster) beats() {
	c.sayBeat(false)
	last := time.Now()
	for wait(c.ctx, beatEvery) == nil {
		c.sayBeat(false)
		now := time.Now()
		// Who could not listen has not heard that nobody spoke.
		if now.Sub(last) < goneAfter/2 {
			for _, m := range c.members.lose(now) {
				c.log.Warn("node is gone", "peer", m.Node, "host", m.Host)
				c.gone(m)
			}
		}
		last = now
	}
}

func (c *Cluster) sayBeat(leaving bool) {
	b := c.handler.Beat()
	b.Leaving, b.Host, b.Version = leaving, c.cfg.Host, c.cfg.Version
	_ = c.send("beat", "", &clusterv1.Envelope{Body: &clusterv1.Envelope_Beat{Beat: b}}) // the next follows
}

// heard takes a beat.
func (c *Cluster) heard(e *clusterv1.Envelope) {
	if e.GetBeat().GetLeaving() {
		if m, known := c.members.leave(e.GetRun()); known {
			c.log.Info("node has left", "peer", m.Node, "host", m.Host)
			c.gone(m)
		}
		return
	}
	if !c.members.hear(e, time.Now()) {
		return
	}
	c.log.Info("node is there", "peer", e.GetNode(), "host", e.GetBeat().GetHost(), "version", e.GetBeat().GetVersion())
	if !c.serving.Load() {
		return
	}
	if uint16(e.GetNode()) == c.Node() {
		c.log.Error("another node has this node's number", "node", e.GetNode(), "host", e.GetBeat().GetHost())
	}
	c.sayBeat(false) // or it would not know of this one for a while
}

// gone frees what a node held and ends the wait for it.
func (c *Cluster) gone(m Member) {
	if !c.serving.Load() {
		return
	}
	c.asks.gone(m.Run)
	c.sweepNames()
}

func (c *Cluster) beat(m *nats.Msg) {
	if e, ok := c.open(m); ok {
		c.heard(e)
	}
}
