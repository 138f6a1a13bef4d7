package chat

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/store"
)

// TestOutbox: what is told is marked when it has left, and never what was not; a look is due once where
// something before it is not known to be told.
func TestOutbox(t *testing.T) {
	o, now := newOutbox(), time.Unix(1000, 0)
	note := func(seq int64) bool { return o.note(1, &store.Broadcast{Room: 7, Seq: seq}, now) }
	marks := func(want int64) {
		t.Helper()
		upTo := o.ripe(false)
		if upTo[7] != want {
			t.Errorf("marked up to %d, want %d", upTo[7], want)
		}
		o.mark(upTo)
	}
	if !note(10) || note(11) || !slices.Equal(o.due(1), []int64{7}) {
		t.Error("a room of which nothing is known wants one look")
	}
	marks(0)
	if after, upTo, ok := o.gap(7, false); after != 0 || upTo != 11 || !ok {
		t.Errorf("look behind %d, up to %d, %v", after, upTo, ok)
	}
	o.looked(1, 7, 11)
	if len(o.due(1)) != 0 {
		t.Error("a look is due that was")
	}
	marks(0) // what was told only now may be on its way
	marks(11)
	marks(0)
	if note(12) || note(11) {
		t.Error("the next one wants no look, nor does one again")
	}
	if !note(14) || note(15) {
		t.Error("a gap wants one look")
	}
	marks(0)
	marks(12) // and nothing behind the gap
	marks(0)
	if after, upTo, ok := o.gap(7, false); after != 12 || upTo != 15 || !ok {
		t.Errorf("look behind %d, up to %d, %v", after, upTo, ok)
	}
	if note(13) {
		t.Error("the gap is closed")
	}
	if _, _, ok := o.gap(7, false); ok {
		t.Error("a look where nothing is missing")
	}
	o.looked(1, 7, 0)
	if after, upTo, ok := o.gap(7, true); after != 0 || upTo != math.MaxInt64 || !ok {
		t.Errorf("what was missed: behind %d, up to %d, %v", after, upTo, ok)
	}
	if !note(17) {
		t.Error("a gap after another wants a look")
	}
	now = now.Add(looksWait)
	if !note(18) {
		t.Error("a look that nobody did is wanted again")
	}
	if upTo := o.ripe(true); upTo[7] != 15 {
		t.Errorf("marked at the end: %d", upTo[7])
	}
}

// TestOutboxTurns: sessions ask one after another, however many they are.
func TestOutboxTurns(t *testing.T) {
	o, now := newOutbox(), time.Unix(1000, 0)
	if first := o.next(now); first != outboxEvery {
		t.Errorf("the first asks after %v", first)
	}
	for range 998 {
		o.next(now)
	}
	if last := o.next(now); last != outboxEvery+999*outboxApart {
		t.Errorf("the thousandth asks after %v", last)
	}
}

// TestOutboxForgets: rooms in which nothing happens take no memory.
func TestOutboxForgets(t *testing.T) {
	o := newOutbox()
	o.note(1, &store.Broadcast{Room: 7, Seq: 1}, time.Unix(1, 0))
	o.looked(1, 7, 1)
	o.ripe(false)
	o.mark(o.ripe(false))
	o.forget()
	if len(o.rooms) != 1 {
		t.Error("a room is forgotten at once")
	}
	if o.forget(); len(o.rooms)+len(o.looks) != 0 {
		t.Error("a room stays for ever")
	}
}
