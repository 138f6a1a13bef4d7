package session

// Traffic is what went through sessions.
type Traffic struct{ FramesIn, BytesIn, FramesOut, BytesOut uint64 }

// Traffic returns what went through the session since it was asked for last: each frame is told of
// once, so sums of it never fall. What was queued counts as out, without the framing of the wire.
func (s *Session) Traffic() Traffic {
	t := Traffic{FramesIn: s.framesIn.Swap(0), BytesIn: s.bytesIn.Swap(0)}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	t.FramesOut, t.BytesOut = s.out.frames, s.out.bytes
	s.out.frames, s.out.bytes = 0, 0
	return t
}

// Watcher is told what happens to a session: what is "event" or "command", kind names it, and bytes is
// the size of what it carries. It is called by several goroutines, possibly with locks held: it must
// not call the session, and not block.
type Watcher func(what, kind string, bytes int)

// Watch makes w be told of all events and commands of the session, in place of whoever was before. stop
// ends that, unless somebody else has taken the place.
func (s *Session) Watch(w Watcher) (stop func()) {
	p := &w
	s.watcher.Store(p)
	return func() { s.watcher.CompareAndSwap(p, nil) }
}

// Watched says whether somebody watches the session: the one load that it costs where nobody does.
func (s *Session) Watched() bool { return s.watcher.Load() != nil }

// Note tells whoever watches the session.
func (s *Session) Note(what, kind string, bytes int) {
	if w := s.watcher.Load(); w != nil {
		(*w)(what, kind, bytes)
	}
}
