package session

// Framer is a [Transport] whose bytes come without frames of their own, so that it is told how to cut
// them. It is told before the event that led to it is taken out of the window.
type Framer interface {
	// SetFraming cuts what was not handed on yet: into lines, or raw into chunks as they come. After so
	// many raw bytes lines begin again; 0 means never.
	SetFraming(raw bool, bytes uint64)
}

// SetFraming says how what the client sends is cut into frames, where that can be said; see [Framer].
func (s *Session) SetFraming(raw bool, bytes uint64) {
	if f, ok := s.transport.(Framer); ok {
		f.SetFraming(raw, bytes)
	}
}

// Settled says whether nothing of the session is in flight, the plugin wants it read, and the client takes
// what it is sent. Also a session that is closing is settled.
func (s *Session) Settled() bool {
	return s.window.events.Load() == 0 && !s.window.paused.Load() && !s.out.pressed() || s.closing.Load()
}

// WaitSettled blocks until the session is settled and may be read; it returns false when it has ended.
// It is for the reader of a [Framer]: how the next bytes are cut is known only then.
func (s *Session) WaitSettled() bool { return s.wait(s.mayCut) }

func (s *Session) mayCut() bool { return s.Settled() && (!s.halted.Load() || s.closing.Load()) }
