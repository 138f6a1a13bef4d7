// Package snowflake makes ids that are unique in a cluster: positive 63-bit numbers of 41 bits of
// milliseconds since [Epoch], 10 bits of node and 12 bits of sequence. They rise on one node.
package snowflake

import (
	"sync"
	"time"
)

// Epoch is the zero of the ids' time in ms since 1970: 2010-11-04T01:42:54.657Z.
const Epoch = 1288834974657

const (
	nodeBits = 10
	seqBits  = 12
	seqMask  = 1<<seqBits - 1
	// MaxNode is the largest node number.
	MaxNode = 1<<nodeBits - 1
)

// Generator makes the ids of one node. It is safe for concurrent use.
type Generator struct {
	now func() int64

	mu   sync.Mutex // guards what follows
	node uint64
	last uint64 // time and sequence of the newest id: ms<<12 | seq
}

// New returns a generator for a node number from 0 to [MaxNode]; it panics for another one. now
// gives ms since 1970; nil means the system's clock.
func New(node uint16, now func() int64) *Generator {
	if node > MaxNode {
		panic("snowflake: node number above 1023")
	}
	if now == nil {
		now = func() int64 { return time.Now().UnixMilli() }
	}
	return &Generator{node: uint64(node), now: now}
}

// Next returns a new id. When more than 4,096 are asked for within a millisecond, or the clock went
// back, it borrows from the milliseconds to come rather than wait or repeat one.
func (g *Generator) Next() uint64 {
	tick := uint64(max(g.now()-Epoch, 0)) << seqBits
	g.mu.Lock()
	g.last = max(g.last+1, tick)
	last, node := g.last, g.node
	g.mu.Unlock()
	return (last>>seqBits)<<(nodeBits+seqBits) | node<<seqBits | last&seqMask
}

// SetNode has all ids to come be of another node number, from 0 to [MaxNode].
func (g *Generator) SetNode(node uint16) {
	if node > MaxNode {
		panic("snowflake: node number above 1023")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.node = uint64(node)
}

// Newest is when the newest id was made, or borrowed from, in ms since 1970.
func (g *Generator) Newest() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int64(g.last>>seqBits) + Epoch
}

// Pass has all ids to come be above those that were made up to a time, in ms since 1970, as by another
// generator of this node.
func (g *Generator) Pass(ms int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = max(g.last, uint64(max(ms-Epoch, 0))<<seqBits|seqMask)
}

// Node returns the number of the node that made the id.
func Node(id uint64) uint16 { return uint16(id >> seqBits & MaxNode) }

// Time returns when the id was made, in ms since 1970.
func Time(id uint64) int64 { return int64(id>>(nodeBits+seqBits)) + Epoch }
