package plugintest

import (
	"context"
	"io"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// kill says at which ack the plugin is killed; the zero value never does.
type kill struct {
	at    int  // counted from 1
	after bool // the ack still reaches the host, else it is lost
}

// watched launches instances whose links are watched: how many acks came, what is still to be acked,
// and when it is time to kill.
type watched struct {
	pluginhost.Launcher
	kill    kill
	changed func()

	mu      sync.Mutex
	acks    int
	open    map[*watchedLink]bool
	bound   map[uint64]bool   // sessions that were bound to a named actor
	sent    map[uint64]uint64 // the last event of each actor that was sent
	current pluginhost.Process
}

func (w *watched) Launch(ctx context.Context) (pluginhost.Process, error) {
	p, err := w.Launcher.Launch(ctx)
	if err != nil {
		return nil, err
	}
	return &watchedProcess{p, w}, nil
}

// atRest says whether every event that was sent is acked, and what came with the acks is done; and
// there is an instance.
func (w *watched) atRest() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.open {
		if len(l.unacked) > 0 || !l.receiving {
			return false
		}
	}
	return len(w.open) > 0
}

// took says whether the actor's first n events were sent.
func (w *watched) took(actor, n uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bound[actor] || w.sent[actor] >= n
}

type watchedProcess struct {
	pluginhost.Process
	w *watched
}

func (p *watchedProcess) OpenLink() (pluginhost.Link, error) {
	l, err := p.Process.OpenLink()
	if err != nil {
		return nil, err
	}
	wl := &watchedLink{Link: l, process: p.Process, w: p.w, unacked: make(map[ack]bool)}
	p.w.mu.Lock()
	p.w.open[wl], p.w.current = true, p.Process
	p.w.mu.Unlock()
	return wl, nil
}

// ack names an event.
type ack struct{ actor, seq uint64 }

type watchedLink struct {
	pluginhost.Link
	process pluginhost.Process
	w       *watched

	unacked   map[ack]bool // guarded by w.mu
	receiving bool         // likewise: the host has done what came before
	dead      bool         // of the goroutine that receives
}

// Send notes which events are on their way.
func (l *watchedLink) Send(b *wire.Batch) error {
	l.w.mu.Lock()
	err := wire.Events(b.B, func(e *wire.Event) error {
		if e.Seq != 0 && !l.w.bound[e.Actor] {
			l.unacked[ack{e.Actor, e.Seq}] = true
			l.w.sent[e.Actor] = max(l.w.sent[e.Actor], e.Seq)
		}
		return nil
	})
	l.w.mu.Unlock()
	l.w.changed()
	if err != nil {
		return err
	}
	return l.Link.Send(b)
}

// Recv notes which came back, and kills where that is due: what the plugin sent beyond that is lost.
func (l *watchedLink) Recv(b *wire.Batch) error {
	if l.dead {
		return l.end(io.ErrUnexpectedEOF)
	}
	l.w.mu.Lock()
	l.receiving = true
	l.w.mu.Unlock()
	l.w.changed()
	if err := l.Link.Recv(b); err != nil {
		return l.end(err)
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.receiving = false
	var scratch wire.Step
	for at := 0; at < len(b.B); {
		next := at + elementLength(b.B[at:])
		if err := wire.Steps(b.B[at:next], &scratch, l.acked); err != nil {
			return err
		}
		l.w.acks++
		if l.w.acks == l.w.kill.at {
			l.dead = true
			l.process.Kill()
			if l.w.kill.after {
				at = next
			}
			b.B = b.B[:at]
			return nil
		}
		at = next
	}
	return nil
}

func (l *watchedLink) acked(s *wire.Step) error {
	delete(l.unacked, ack{s.Actor, s.Seq})
	if n := len(s.Commands); n > 0 && s.Commands[n-1].Kind == wire.Bind {
		// Those on their way are not acked here: they come again at the named actor.
		l.w.bound[s.Actor] = true
		for a := range l.unacked {
			if a.actor == s.Actor {
				delete(l.unacked, a)
			}
		}
	}
	return nil
}

func (l *watchedLink) end(err error) error {
	l.w.mu.Lock()
	delete(l.w.open, l)
	l.w.mu.Unlock()
	l.w.changed()
	return err
}

// elementLength is the length of the first field of an encoded message.
func elementLength(b []byte) int {
	if _, _, n := protowire.ConsumeField(b); n > 0 {
		return n
	}
	return len(b)
}
