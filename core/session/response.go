package session

// ResponseWriter is the transport of a plain request's session, and answers it. Frames that are sent
// to such a session go nowhere.
type ResponseWriter interface {
	Transport

	// Respond answers the request: the first call has status, headers and what there is of the body,
	// further ones have more body and neither of the others. last says that this was all; a body that
	// comes at once and last is sent with its length, any other is streamed. It does not wait for the
	// client: what that does not take is buffered, and too much of it ends the connection and returns
	// [ErrSlowConsumer]. It leaves once the request's body was read or the answer is whole. After the
	// last call and after the session's end it returns [ErrClosed]. Nothing of headers and body is
	// kept.
	Respond(status int, headers []Header, body []byte, last bool) error
}

// Respond answers a plain request; see [ResponseWriter]. For any other session it returns
// [ErrClosed].
func (s *Session) Respond(status int, headers []Header, body []byte, last bool) error {
	w, ok := s.transport.(ResponseWriter)
	if !ok {
		return ErrClosed
	}
	return w.Respond(status, headers, body, last)
}
