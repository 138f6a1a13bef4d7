package session

// Dirty gathers sessions that have something to write, so that each is flushed once after a batch.
// It is for one goroutine.
type Dirty struct{ sessions []*Session }

// Add remembers to flush s.
func (d *Dirty) Add(s *Session) {
	if !s.dirty.Swap(true) {
		d.sessions = append(d.sessions, s)
	}
}

// Flush flushes what was added, and forgets it.
func (d *Dirty) Flush() {
	for i, s := range d.sessions {
		s.dirty.Store(false)
		s.Flush()
		d.sessions[i] = nil
	}
	d.sessions = d.sessions[:0]
}
