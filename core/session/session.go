// Package session is one client connection as the core sees it: who it is, what it still has to be
// sent, how many of its events are in flight, how it ends. It owns the [Session] and its outbox and
// knows nothing of sockets' kinds (a [Transport] writes), of plugins or of channels.
//
// A frame's way in: the reader of package listen calls [Session.Frame] and waits in
// [Session.WaitReadable] while the window is full. A frame's way out: [Session.Send] or
// [Session.Offer] appends it to the outbox, [Session.Flush] writes what waits in one go.
// What need not leave at once waits for that in a [Late].
package session

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/internal/channel"
)

// Transport writes to the connection under a session. Its methods are called by one goroutine at a
// time, except Close, which may come at any time.
type Transport interface {
	// AppendFrame appends the wire form of one frame to dst.
	AppendFrame(dst, data []byte, binary bool) []byte
	// AppendClose appends the wire form of an orderly end, which has no body when code is
	// [NoStatus]; nothing where the transport has none.
	AppendClose(dst []byte, code int, reason string) []byte
	// TryWrite writes what the socket takes without waiting, possibly nothing.
	TryWrite(p []byte) (int, error)
	// Write writes all of p, or fails at the deadline with an error that is os.ErrDeadlineExceeded.
	Write(p []byte) (int, error)
	// SetWriteDeadline bounds Write.
	SetWriteDeadline(t time.Time) error
	// CloseWrite says that nothing more will be written; the peer may still be read.
	CloseWrite() error
	// Close ends the connection at once.
	Close() error
}

// Handler takes what a session's client does. Its methods do not block.
type Handler interface {
	// Frame takes one frame. It does not keep data.
	Frame(s *Session, data []byte, binary bool)
	// Eof says that the client will send nothing more, while it may still be written to.
	Eof(s *Session)
	// Closed is called once. A reader that is just then at a frame may still call Frame after it;
	// such a frame is to be dropped and released.
	Closed(s *Session, code int, reason string, byClient bool)
}

// Header is a header of the request that opened a session; Name is in lower case.
type Header struct{ Name, Value string }

// Info is how a session came to be. It does not change.
type Info struct {
	Route         string // id of the route
	RemoteAddress string // ip:port of the client; port 0: a proxy did not say
	Method        string
	Path          string
	Query         string // without the question mark
	Host          string
	Headers       []Header
	TLS           bool
	HTTP          bool // a plain request rather than a WebSocket
	TCP           bool // neither, but lines or raw bytes; it has only a route, an address, TLS and Local
	Local         bool // the peer is this machine, and nothing says that it speaks for another
}

// Header returns the first value of a header, named in lower case; "" when there is none.
func (i *Info) Header(name string) string {
	for _, h := range i.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Identity is who an auth backend said the client is.
type Identity struct {
	Realm  string // the auth block, as "static.dev"
	UserID string
	Claims []byte // a JSON object; nil: none
	// Within are patterns of the only channels that a user of an API may publish to; nil: all.
	Within []channel.Pattern
}

// Admission is what an auth backend said of a client before its connection was taken. It is not
// changed any more.
type Admission struct {
	Identity *Identity // nil: nobody in particular
	Channels []string  // that the backend gives this client; the session joins them
	Expires  time.Time // when the proof ends, and with it the session; zero: never
	By       string    // which auth backend that was, for whoever asked it
}

// Tuning is what fan-out looks at when it writes to a session.
type Tuning struct {
	Variant   string
	Variables map[string]int64
}

// Limits bound what a session may hold. A zero field means its default.
type Limits struct {
	OutboxBytes  int           // waiting to be written; 1 MiB
	WindowEvents int           // events and calls in flight; 64
	WindowBytes  int           // bytes of them; 256 KiB
	WriteTimeout time.Duration // for one stretch of a blocked write; 30 s
	CloseTimeout time.Duration // for the client to answer a close; 5 s

	Budget *Budget // of all sessions of the node; nil: none
}

func (l Limits) withDefaults() Limits {
	if l.OutboxBytes == 0 {
		l.OutboxBytes = 1 << 20
	}
	if l.WindowEvents == 0 {
		l.WindowEvents = 64
	}
	if l.WindowBytes == 0 {
		l.WindowBytes = 256 << 10
	}
	if l.WriteTimeout == 0 {
		l.WriteTimeout = 30 * time.Second
	}
	if l.CloseTimeout == 0 {
		l.CloseTimeout = 5 * time.Second
	}
	return l
}

// ErrClosed is returned for what can no more be written.
var ErrClosed = errors.New("session is closed")

// ErrSlowConsumer is returned by Offer when the outbox has no room; the session is then closed with
// [CloseSlowConsumer].
var ErrSlowConsumer = errors.New("slow consumer")

// Session is one client connection. Its methods are safe for concurrent use; Frame, Eof and
// WaitReadable, or WaitSettled in its place, are for its one reader.
type Session struct {
	ID   uint64
	Info *Info

	handler   Handler
	transport Transport
	limits    *Limits

	identity atomic.Pointer[Identity]
	tuning   atomic.Pointer[Tuning]
	closing  atomic.Bool
	ended    atomic.Bool
	halted   atomic.Bool // no further frame is taken
	dirty    atomic.Bool // waits in somebody's Dirty
	watcher  atomic.Pointer[Watcher]

	framesIn, bytesIn atomic.Uint64 // since Traffic was asked last

	ctxMu   sync.Mutex
	context map[string][]byte // guarded by ctxMu; values are never changed

	out    outbox
	window window
	part   int64 // what the budget counts of a message in part; of the reader
	came   int64 // when what the reader is at came; of the reader
}

// New returns a session. limits is shared by the sessions of a route and not changed any more; make
// it with [NewLimits].
func New(id uint64, info *Info, t Transport, h Handler, limits *Limits) *Session {
	return &Session{ID: id, Info: info, transport: t, handler: h, limits: limits}
}

// NewLimits returns limits with defaults for what is zero.
func NewLimits(l Limits) *Limits {
	l = l.withDefaults()
	return &l
}

// Identity is who the client is; nil before it authenticated. It is not to be changed.
func (s *Session) Identity() *Identity { return s.identity.Load() }

// SetIdentity says who the client is.
func (s *Session) SetIdentity(id *Identity) { s.identity.Store(id) }

// Tuning is what the plugin said for fan-out, or nil. It is not to be changed.
func (s *Session) Tuning() *Tuning { return s.tuning.Load() }

// SetTuning replaces it.
func (s *Session) SetTuning(t *Tuning) { s.tuning.Store(t) }

// PutContext sets a key of the context, or deletes it when value is empty. value is kept.
func (s *Session) PutContext(key string, value []byte) {
	s.ctxMu.Lock()
	defer s.ctxMu.Unlock()
	if len(value) == 0 {
		delete(s.context, key)
		return
	}
	if s.context == nil {
		s.context = make(map[string][]byte)
	}
	s.context[key] = value
}

// RangeContext calls f for each key of the context, in no order; values are not to be changed.
func (s *Session) RangeContext(f func(key string, value []byte)) {
	s.ctxMu.Lock()
	defer s.ctxMu.Unlock()
	for k, v := range s.context {
		f(k, v)
	}
}

// Frame hands one frame to the handler and counts it in the window. Nothing of data is kept.
func (s *Session) Frame(data []byte, binary bool) {
	s.Hold(len(data))
	s.framesIn.Add(1)
	s.bytesIn.Add(uint64(len(data)))
	s.handler.Frame(s, data, binary)
}

// CameAt says when the frames came that the reader hands on from now on; it is asked once for many. The
// zero time: each is asked for when it is handed on. It is for the reader.
func (s *Session) CameAt(t time.Time) {
	if s.came = 0; !t.IsZero() {
		s.came = t.UnixNano()
	}
}

// Came is what CameAt said, in ns since 1970; 0: nothing. It is for the handler, while it is given a frame.
func (s *Session) Came() int64 { return s.came }

// Eof tells the handler that the client will send nothing more.
func (s *Session) Eof() { s.handler.Eof(s) }

// Ended is called when the connection is over, with the close code that came from the client
// ([CloseLost] when there was none). Only the first call counts. It does not block, but calls the
// handler.
func (s *Session) Ended(code int, reason string, byClient bool) {
	if s.ended.Swap(true) {
		return
	}
	if sent, sentReason, sentByClient, ok := s.out.closedWith(); ok {
		code, reason, byClient = sent, sentReason, sentByClient
	}
	s.abandon()
	_ = s.transport.Close()
	s.window.wakeReader()
	s.handler.Closed(s, code, reason, byClient)
}

// HasEnded says whether the connection is over.
func (s *Session) HasEnded() bool { return s.ended.Load() }
