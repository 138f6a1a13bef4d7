package session

// note is about the end of a frame that was queued.
type note struct {
	end     int64 // bytes that the socket has taken when the frame is out
	written func(bool)
}

// tookLocked counts bytes that the socket took, and tells those who wait for them. The caller holds mu, which
// is let go of meanwhile; it is the one that writes, so nothing else is taken off what waits.
func (o *outbox) tookLocked(n int) {
	o.writing -= n
	o.wrote += int64(n)
	if len(o.notes) == 0 {
		return
	}
	i := 0
	for i < len(o.notes) && o.notes[i].end <= o.wrote {
		i++
	}
	if i == 0 {
		return
	}
	out := append([]note(nil), o.notes[:i]...)
	if o.notes = o.notes[i:]; len(o.notes) == 0 {
		o.notes = nil
	}
	o.mu.Unlock()
	tell(out, true)
	o.mu.Lock()
}

// takeNotes returns what nobody will be told otherwise. The caller holds mu.
func (o *outbox) takeNotes() []note {
	lost := o.notes
	o.notes = nil
	return lost
}

func tell(notes []note, written bool) {
	for _, n := range notes {
		n.written(written)
	}
}
