package pluginhost

import (
	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// gathered is what counted publishes of one order key leave to be written: those that come together leave together.
type gathered struct {
	session.Dirty
	n, size int // of publishes since the last flush
}

// What is gathered at most: others wait for it, and it waits in the sessions' outboxes.
const (
	mostGathered     = 16
	mostGatheredSize = 32 << 10
)

// published flushes after a publish, unless the next call of its key is one as well.
func (g *gathered) published(c *call) {
	g.n++
	g.size += proto.Size(c.msg)
	if g.n < mostGathered && g.size < mostGatheredSize && c.beforePublish() {
		return
	}
	g.flush()
}

func (g *gathered) flush() {
	g.n, g.size = 0, 0
	g.Flush()
}

func (c *call) publishes() bool {
	_, ok := c.msg.GetTarget().(*pluginv1.Call_Publish)
	return ok
}

// beforePublish says whether a publish waits to be the next call of the key.
func (c *call) beforePublish() bool {
	a := c.actor
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.calls[c.msg.GetOrder()]
	return q != nil && !c.detached && len(q.waiting) > 0 && q.waiting[0].publishes()
}
