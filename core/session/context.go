package session

import "maps"

// maxContext is how many bytes of keys and values the context of a session may have by
// [Session.UpdateContext].
const maxContext = 64 << 10

// Reached counts those who were to take something.
type Reached struct {
	Took   uint64
	Failed uint64 // they are being closed, or there is no room
}

// UpdateContext sets keys of the context, deletes those whose value is empty, and with replace those that
// set does not have. It does nothing and returns false where the context would grow beyond 64 KiB. Values
// are kept.
func (s *Session) UpdateContext(replace bool, set map[string][]byte) bool {
	s.ctxMu.Lock()
	defer s.ctxMu.Unlock()
	next := make(map[string][]byte, len(s.context)+len(set))
	if !replace {
		maps.Copy(next, s.context)
	}
	for k, v := range set {
		if len(v) == 0 {
			delete(next, k)
		} else {
			next[k] = v
		}
	}
	size := 0
	for k, v := range next {
		size += len(k) + len(v)
	}
	if size > maxContext {
		return false
	}
	s.context = next
	return true
}
