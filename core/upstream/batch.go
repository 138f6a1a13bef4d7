package upstream

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

// maxSharedBytes bounds the commands of a shared request: back-ends take bodies of some size only.
const maxSharedBytes = 1 << 20

// shared is a question that waits and may be part of another's request. It holds nothing of the
// asker's: whoever asked may give up, while the request goes on for the others.
type shared struct {
	turn  chan error // of the gate
	mates []*shared  // who share its request; set before its turn

	req     upstream.Request
	command []byte

	ready   chan struct{} // there are answers
	mu      sync.Mutex    // guards answers
	answers []*upstream.Answer
}

func newShared(codec *logux.Codec, req *upstream.Request) *shared {
	s := &shared{turn: make(chan error, 1), ready: make(chan struct{}, 1), req: *req}
	s.command = codec.AppendRequest(nil, req)
	// The exchange wants the payload if the back-end resends, and of Raw its id.
	s.req.Payload, s.req.Raw = bytes.Clone(req.Payload), bytes.Clone(req.Raw)
	return s
}

// put takes an answer. It does not wait: one that is slow to take its answers must not keep the
// others of its request from theirs. What waits is bounded by what a response may have.
func (s *shared) put(a *upstream.Answer) {
	s.mu.Lock()
	s.answers = append(s.answers, a)
	s.mu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// deliver emits the answers up to the last, or until ctx ends.
func (s *shared) deliver(ctx context.Context, emit func(*upstream.Answer)) {
	for {
		select {
		case <-s.ready:
		case <-ctx.Done():
			emit(&upstream.Answer{Last: true, Outcome: upstream.Unavailable, Detail: context.Cause(ctx).Error()})
			return
		}
		s.mu.Lock()
		answers := s.answers
		s.answers = nil
		s.mu.Unlock()
		for _, a := range answers {
			emit(a)
			if a.Last {
				return
			}
		}
	}
}

// askShared is Ask where requests are shared: a question that need not wait is put alone, and so is
// one behind which nobody waits when its turn comes.
func (p *loguxPool) askShared(ctx context.Context, req *upstream.Request, emit func(*upstream.Answer)) {
	free, err := p.gate.pass()
	if !free && err == nil {
		s := newShared(p.codec, req)
		err = p.gate.wait(ctx, p.timeout, s.turn, s)
		if err == nil && len(s.mates) > 0 {
			k := &loguxBatch{pool: p, all: append([]*shared{s}, s.mates...)}
			if !p.calls.background(k.run) {
				k.abandon()
			}
			err = errShared
		}
		if errors.Is(err, errShared) {
			s.deliver(ctx, emit)
			return
		}
	}
	if err != nil {
		p.meter.refused()
		emit(&upstream.Answer{Last: true, Outcome: upstream.Unavailable, Detail: err.Error()})
		return
	}
	p.put(ctx, req, emit)
}

// loguxBatch is a request with several questions.
type loguxBatch struct {
	logux.Exchange
	pool  *loguxPool
	all   []*shared
	began time.Time
}

func (k *loguxBatch) run() {
	p := k.pool
	k.began = time.Now()
	reqs := make([]*upstream.Request, len(k.all))
	body := p.codec.Begin(nil)
	for i, s := range k.all {
		if reqs[i] = &s.req; i > 0 {
			body = append(body, ',')
		}
		body = append(body, s.command...)
		s.command = nil
	}
	k.Reset(p.cfg.MaxElementBytes, k.answer, reqs...)
	// No asker's context ends it: it is for all of them.
	if !p.calls.post(context.Background(), "", p.codec.End(body), k) {
		k.Release()
	}
}

// abandon is for a pool that is closed.
func (k *loguxBatch) abandon() {
	for _, s := range k.all {
		k.pool.meter.refused()
		s.put(&upstream.Answer{Last: true, Outcome: upstream.Unavailable, Detail: errClosed.Error()})
	}
	k.pool.gate.leave()
}

func (k *loguxBatch) answer(i int, a *upstream.Answer) {
	k.pool.finish(a, k.began)
	k.all[i].put(a)
}

// Begin, Done and Release make it a sink, with the Exchange.
func (k *loguxBatch) Begin(status int) bool { return isSuccess(status) }

func (k *loguxBatch) Done() bool { return k.Open() == 0 }

func (k *loguxBatch) Release() {
	k.Exchange.Release()
	k.pool.gate.leave()
}
