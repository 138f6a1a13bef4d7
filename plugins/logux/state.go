package logux

import (
	"encoding/binary"
	"errors"
	"time"
)

// State is what an actor is between events: the session of a client that is not authenticated yet, or
// the client, once it is. Requests keep none. What grows lies in cells of its own, see each file.
type State struct {
	// Of a session alone.
	Phase     phase
	Held      int // messages kept until it is authenticated, each in a cell
	HeldBytes int

	// Of a session, and then of its client: the connection.
	Conn Conn

	// Of a client.
	Session uint64 // its connection; 0: none
	Heard   int64  // the second of its last traffic, rounded up
	Pinged  int64  // when a ping went out that was not answered, ms; 0: none did
	Added   int64  // the last number given, where no outcome that is kept has it
	Synced  int64  // up to which number the client has what it was sent; behind at most by a second
	Paused  bool   // the connection is not read
	Neutral bool   // its upstream is no Logux back-end

	// mem is what is known of the cells, so that they need not be read again. It is not kept.
	mem *memory
}

// phase is how far a session is.
type phase uint8

const (
	phaseNew    phase = iota
	phaseAsking       // the auth backend is asked
	phaseOver         // it was answered
)

// Conn is a connection as the client opened it.
type Conn struct {
	Version     int
	Base        int64 // ms; what ids and times are relative to
	Start       int64 // ms; when connect came
	Node        string
	Given       int64  // the number up to which the client said it has what it was sent
	Realm       string // of the client's identity
	Subprotocol string // the client's, as SemVer
	Server      string // what the client was told of the server's own; empty: nothing
}

func (c *Conn) relation() connection { return connection{c.Base, c.Node} }

// AppendBinary implements encoding.BinaryAppender. Nothing is kept of a State that is as at first.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	if mem := s.mem; *s == (State{mem: mem}) {
		return b, nil
	}
	b = append(b, byte(s.Phase), byte(s.Conn.Version), flag(s.Paused)|flag(s.Neutral)<<1)
	for _, n := range []int64{int64(s.Held), int64(s.HeldBytes), s.Conn.Base, s.Conn.Start, s.Conn.Given, int64(s.Session), s.Heard, s.Pinged, s.Added, s.Synced} {
		b = binary.AppendVarint(b, n)
	}
	for _, text := range []string{s.Conn.Node, s.Conn.Realm, s.Conn.Subprotocol, s.Conn.Server} {
		b = appendText(b, text)
	}
	return b, nil
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (s *State) UnmarshalBinary(b []byte) error {
	*s = State{}
	if len(b) < 3 {
		return errState
	}
	s.Phase, s.Conn.Version, s.Paused = phase(b[0]), int(b[1]), b[2]&1 != 0
	s.Neutral = b[2]&2 != 0
	r := reader{b[3:], true}
	s.Held, s.HeldBytes = int(r.number()), int(r.number())
	s.Conn.Base, s.Conn.Start, s.Conn.Given = r.number(), r.number(), r.number()
	s.Session = uint64(r.number())
	s.Heard, s.Pinged, s.Added, s.Synced = r.number(), r.number(), r.number(), r.number()
	s.Conn.Node, s.Conn.Realm, s.Conn.Subprotocol, s.Conn.Server = r.text(), r.text(), r.text(), r.text()
	if !r.ok {
		return errState
	}
	return nil
}

var errState = errors.New("state is cut short")

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// reader reads what was appended; once something is missing it is not ok.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.b)
	return skip(r, n, size)
}

func (r *reader) count() uint64 {
	n, size := binary.Uvarint(r.b)
	return skip(r, n, size)
}

func skip[N int64 | uint64](r *reader, n N, size int) N {
	if size <= 0 {
		r.b, r.ok = nil, false
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.count()
	if n > uint64(len(r.b)) {
		r.b, r.ok = nil, false
		return nil
	}
	text := r.b[:n:n]
	r.b = r.b[n:]
	return text
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.ok = false
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func nowMillis(s *session) int64 { return s.Time().UnixMilli() }

// second is a time in seconds, rounded up.
func second(t time.Time) int64 { return (t.UnixMilli() + 999) / 1000 }
