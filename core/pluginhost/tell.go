package pluginhost

import (
	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/proto/wire"
)

const (
	// mostTold is how many bytes of what it was told may wait at an actor: nobody holds back those who
	// tell it, as the window does with a client.
	mostTold = 1 << 20
	// leastTold is what each of them counts at least, for the event that it is.
	leastTold = 128
)

// TellHere posts a Told event to the named actor of that key, if there is one on this node. Nothing of data
// is kept.
func (p *Plugin) TellHere(key string, data []byte) {
	p.namedMu.Lock()
	a := p.named[key]
	if a == nil {
		p.namedMu.Unlock()
		return
	}
	a.mu.Lock() // before namedMu goes, so that it is not dropped as idle
	p.namedMu.Unlock()
	size := int64(max(len(data), leastTold))
	if a.named.told.Load()+size > mostTold {
		a.mu.Unlock()
		p.untold.Add(1)
		if dropped, ok := p.quiet.Allow(p.cfg.Clock.Now()); ok {
			p.log.Warn("an actor has too much waiting of what others tell it", "actor", a.id, "bytes", len(data), "dropped", dropped)
		}
		return
	}
	a.named.told.Add(size)
	now := p.cfg.Clock.Now()
	e := actor.NewEvent(wire.Told)
	e.SetData(data)
	e.Time, e.Accepted = now.UnixMilli(), now.UnixNano()
	e.Done = func() { a.named.told.Add(-size) }
	a.pushLocked(e)
	a.mu.Unlock()
}
