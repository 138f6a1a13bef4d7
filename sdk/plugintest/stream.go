package plugintest

import (
	"io"
	"sync"

	"github.com/protocol-bridge/bridge/proto/wire"
)

// pipe is a link in memory: two queues of batches.
type pipe struct{ events, steps queue }

func newPipe() *pipe {
	p := new(pipe)
	p.events.cond.L, p.steps.cond.L = &p.events.mu, &p.steps.mu
	return p
}

// end is one side of a pipe: it implements sdk.Stream and the link of the host.
type end struct{ out, in *queue }

func (p *pipe) plugin() *end { return &end{&p.steps, &p.events} }
func (p *pipe) host() *end   { return &end{&p.events, &p.steps} }

// Send takes over the batch's bytes.
func (e *end) Send(b *wire.Batch) error { return e.out.put(b.B) }

// Recv fills the batch; after the end of the queue it returns io.EOF once all was taken.
func (e *end) Recv(b *wire.Batch) error {
	var err error
	b.B, err = e.in.take()
	return err
}

// Abort ends both directions at once.
func (e *end) Abort() {
	e.in.close(io.ErrClosedPipe, true)
	e.out.close(io.ErrClosedPipe, true)
}

// queue is an unbounded queue of batches. What is put is put whole.
type queue struct {
	mu   sync.Mutex
	cond sync.Cond
	list [][]byte
	err  error // of its end
}

func (q *queue) put(b []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return io.ErrClosedPipe
	}
	q.list = append(q.list, b)
	q.cond.Signal()
	return nil
}

func (q *queue) take() ([]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.list) == 0 {
		if q.err != nil {
			return nil, q.err
		}
		q.cond.Wait()
	}
	b := q.list[0]
	q.list = q.list[1:]
	return b, nil
}

// close ends the queue; what is in it is still taken, unless it is to be dropped.
func (q *queue) close(err error, drop bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	if drop {
		q.list = nil
	}
	q.cond.Broadcast()
}
