package logux

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
)

// Cells of a client's actor, beside headersCell. What has many of a kind has a number behind the letter,
// but for channels.
const (
	frameCells   = 'f' // a sync that waits, see queue.go
	recentCells  = 'r' // some outcomes, see outcomes.go
	undoneCells  = 'u' // an undone action
	channelCells = 'c' // subscriptions to a channel, see subscribe.go
	placeCell    = "p" // where in the first frame the running action begins; absent: at its front
	progressCell = "s" // what the back-end said to the running action
)

func numbered36(kind byte, n uint64) string {
	var b [16]byte
	return string(strconv.AppendUint(append(b[:0], kind), n, 36))
}

// memory is what the cells of a client hold, taken apart. It is made when an event needs it, and changed
// together with them. What a step that fails did to it is forgotten with it, as a whole.
type memory struct {
	frames  []uint64 // those that wait, the oldest first
	front   *waiting // the first one taken apart; nil: it is not yet
	ahead   *entry   // that at place at of the first one; nil: it is not read yet
	bytes   int      // of them
	at      int      // where in the first one the running action begins
	saved   int      // what placeCell says of it
	running *entry   // nil only where no frame waits
	said    progress
	newest  newest
	queued  map[string]struct{} // ids in frames; nil: not looked at yet

	recent   recent
	undone   []undone
	synced   int64 // as State.Synced, but never behind
	channels int

	out   []byte // outcomes that the client is to be sent at the end of the step
	made  int    // ids made in this step
	added int64  // the number of the last of out
}

// remember reads the cells.
func remember(s *session) *memory {
	m := &memory{synced: s.State.Synced}
	var chunks []uint64
	for key, value := range s.Cells() {
		number := func() uint64 { n, _ := strconv.ParseUint(key[1:], 36, 64); return n }
		switch {
		case key == placeCell:
			m.at = int(readPlace(value))
			m.saved = m.at
		case key == progressCell:
			m.said.read(value)
		case key[0] == frameCells:
			m.frames = append(m.frames, number())
			m.bytes += len(value)
		case key[0] == recentCells:
			chunks = append(chunks, number())
		case key[0] == undoneCells:
			m.undone = append(m.undone, undone{int64(number()), len(value)})
		case key[0] == channelCells:
			m.channels++
		}
	}
	slices.Sort(m.frames)
	slices.Sort(chunks)
	slices.SortFunc(m.undone, func(a, b undone) int { return cmp.Compare(a.added, b.added) })
	m.recent.read(s, chunks)
	m.recent.each(s, func(r *recorded) bool { m.newest.note(r.id); return true })
	for _, number := range m.frames {
		f := frameOf(s, number)
		f.each(0, func(e *entry) bool { m.newest.note(e.id); return true })
	}
	if len(m.frames) > 0 {
		m.running = m.first(s).entry(m.at)
	}
	return m
}

// newest is the largest id seen, by time and counter: one beyond it cannot be known.
type newest struct {
	ms      moment
	counter float64
	any     bool
}

func (n *newest) beyond(id actionID) bool {
	return !n.any || id.ms > n.ms || id.ms == n.ms && id.number() > n.counter
}

func (n *newest) note(id actionID) {
	if n.beyond(id) {
		n.ms, n.counter, n.any = id.ms, id.number(), true
	}
}

func (id *actionID) number() float64 {
	if n, ok := parseInt([]byte(id.counter)); ok {
		return float64(n)
	}
	f, _ := strconv.ParseFloat(id.counter, 64)
	return f
}

// current is the client's connection; nil: there is none.
func current(s *session) *sdk.Conn {
	switch s.State.Session {
	case 0:
		return nil
	case s.ID():
		return &s.Conn
	}
	return s.To(s.State.Session)
}

// clientKey names the actor of a client.
func clientKey(client string) string { return clientActors + client }

// clientActors begins the names of the actors of clients.
const clientActors = "client/"

// clientOf is the client whose actor this is.
func clientOf(s *session) string { return strings.TrimPrefix(s.Key(), clientActors) }
