package session

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Budget bounds the bytes that wait in all sessions of a node: in outboxes, in windows, and of
// messages that have come in part. While it is used up no session is read, and those that hold most
// in their outboxes and of messages in part are closed with [CloseSlowConsumer] until an eighth is
// free: what a stranger leaves lying there costs that stranger, and windows empty by themselves.
//
// It counts in steps, so that small frames cost nothing: up to 16 KiB of an outbox, 16 KiB of a message
// and 4 KiB of a window are not seen. A nil *Budget bounds nothing. It is safe for concurrent use.
type Budget struct {
	limit   int64
	used    atomic.Int64
	evicted atomic.Int64
	busy    atomic.Bool // somebody evicts

	mu    sync.Mutex // guards what follows; taken behind an outbox' lock, never before one
	heavy map[*Session]int64
}

const (
	holdStep   = 16 << 10
	windowStep = 4 << 10
)

// NewBudget returns a budget of so many bytes.
func NewBudget(limit int64) *Budget {
	return &Budget{limit: limit, heavy: make(map[*Session]int64)}
}

// Used is how many bytes wait, as far as they are counted.
func (b *Budget) Used() int64 { return b.used.Load() }

// Evicted is how many sessions were closed to make room.
func (b *Budget) Evicted() int64 { return b.evicted.Load() }

// Full says whether the budget is used up.
func (b *Budget) Full() bool { return b != nil && b.used.Load() >= b.limit }

// Take takes so many bytes for something that is no session yet; false when there is no room.
func (b *Budget) Take(n int64) bool {
	if b == nil {
		return true
	}
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// Give gives back what [Budget.Take] took.
func (b *Budget) Give(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}

// windowed counts the bytes of a window, which were before and are now.
func (b *Budget) windowed(before, now int64) {
	if b == nil || before/windowStep == now/windowStep {
		return
	}
	b.used.Add((now/windowStep - before/windowStep) * windowStep)
}

// held counts what a session holds of one kind, which was counted as the result of the last call.
func (b *Budget) held(s *Session, counted, now int64) int64 {
	now -= now % holdStep
	if b == nil || counted == now {
		return counted
	}
	used := b.used.Add(now - counted)
	b.mu.Lock()
	if b.heavy[s] += now - counted; b.heavy[s] == 0 {
		delete(b.heavy, s)
	}
	b.mu.Unlock()
	if now > counted && used > b.limit && !b.busy.Swap(true) {
		go b.evict()
	}
	return now
}

// evict closes those that hold most.
func (b *Budget) evict() {
	defer b.busy.Store(false)
	for _, s := range b.heaviest(b.used.Load() - b.limit/8*7) {
		if s.abort(CloseSlowConsumer) {
			b.evicted.Add(1)
		}
	}
}

// heaviest lists sessions that together hold so much. Those that were closed just now are among
// them, as long as they hold it.
func (b *Budget) heaviest(excess int64) []*Session {
	type holder struct {
		s *Session
		n int64
	}
	b.mu.Lock()
	all := make([]holder, 0, len(b.heavy))
	for s, n := range b.heavy {
		all = append(all, holder{s, n})
	}
	b.mu.Unlock()
	slices.SortFunc(all, func(x, y holder) int { return cmp.Compare(y.n, x.n) })
	var list []*Session
	for _, h := range all {
		if excess <= 0 {
			break
		}
		excess -= h.n
		list = append(list, h.s)
	}
	return list
}

// Reading says how much has come of a message that is not complete; 0 when it is, or when the
// connection is over. It is for the session's reader.
func (s *Session) Reading(n int) {
	if b := s.limits.Budget; b != nil {
		s.part = b.held(s, s.part, int64(n))
	}
}

// counted is called when the outbox has changed. The caller holds out.mu.
func (s *Session) counted() {
	if o := &s.out; o.taken != nil && (o.abandoned || o.end != nil || o.waiting() <= pressure) {
		close(o.taken)
		o.taken = nil
	}
	if b := s.limits.Budget; b != nil {
		n := 0
		if !s.out.abandoned {
			n = s.out.waiting()
		}
		s.out.counted = b.held(s, s.out.counted, int64(n))
	}
}
