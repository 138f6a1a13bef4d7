package listen

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

var lineEntry = &route.Entry{ID: "legacy", Path: "/", TCP: true, MaxFrame: 100}

func startLines(t *testing.T, p *peer, cfg Config) *fixture {
	t.Helper()
	cfg.Lines = true
	return start(t, p, cfg, lineEntry)
}

func (c *raw) closeWrite(t *testing.T) {
	t.Helper()
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

func line(text string) event { return event{kind: "frame", data: text} }

var (
	endOfInput = event{kind: "eof"}
	closedBy   = func(why session.CloseCode, byClient bool) event {
		return event{kind: "closed", code: why.Code, reason: why.Reason, byClient: byClient}
	}
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 100)
	for name, tt := range map[string]struct {
		sent []string // in writes of their own
		want []string
	}{
		"one":                        {[]string{"a\n"}, []string{"a"}},
		"many at once":               {[]string{"a\nb\nc\n"}, []string{"a", "b", "c"}},
		"split anywhere":             {[]string{"a", "b\nc", "d", "\ne\n"}, []string{"ab", "cd", "e"}},
		"a byte at a time":           {strings.Split("ab\ncd\n", ""), []string{"ab", "cd"}},
		"empty":                      {[]string{"\n\na\n"}, []string{"", "", "a"}},
		"CR before the end":          {[]string{"a\r\nb\r\r\n\r\n"}, []string{"a", "b\r", ""}},
		"CR split from its LF":       {[]string{"a\r", "\nb\n"}, []string{"a", "b"}},
		"the last without an end":    {[]string{"a\nb"}, []string{"a", "b"}},
		"the last with a CR":         {[]string{"a\nb\r"}, []string{"a", "b"}},
		"as long as may be":          {[]string{long + "\n" + long + "\r\n" + long}, []string{long, long, long}},
		"not UTF-8":                  {[]string{"a\xff\xfeb\xc3\n"}, []string{"a\uFFFDb\uFFFD"}},
		"a character split":          {[]string{"\xc3", "\xa9\n"}, []string{"é"}},
		"NUL":                        {[]string{"\x00\n"}, []string{"\x00"}},
		"more than a buffer of them": {[]string{strings.Repeat("abcdefghi\n", 500)}, slicesRepeat("abcdefghi", 500)},
		"a request, but not first":   {[]string{"a\nGET / HTTP/1.1\n"}, []string{"a", "GET / HTTP/1.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			f := startLines(t, p, Config{})
			c := f.raw(t)
			for _, s := range tt.sent {
				c.send(t, s)
			}
			c.closeWrite(t)
			for _, w := range tt.want {
				p.want(t, line(w))
			}
			p.want(t, endOfInput)
			s := p.session1(t)
			if want := (session.Info{Route: "legacy", RemoteAddress: c.LocalAddr().String(), TCP: true}); s.Info.Route != want.Route ||
				s.Info.RemoteAddress != want.RemoteAddress || !s.Info.TCP || s.Info.TLS || s.Info.HTTP {
				t.Errorf("info %+v, want %+v", s.Info, want)
			}
			s.CloseWith(session.CloseNormal)
			c.wantEnd(t, strings.Join(tt.want, "\n")+"\n")
			p.want(t, closedBy(session.CloseNormal, false))
		})
	}
}

func slicesRepeat(text string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = text
	}
	return list
}

func TestLinesThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		sent string
		want session.CloseCode
	}{
		"too long":                      {strings.Repeat("x", 101) + "\n", session.CloseTooLarge},
		"too long with a CR":            {strings.Repeat("x", 101) + "\r\n", session.CloseTooLarge},
		"too long, without an end":      {strings.Repeat("x", 102), session.CloseTooLarge},
		"far too long":                  {strings.Repeat("x", 1<<20), session.CloseTooLarge},
		"a browser's":                   {"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nECHO x\n", session.CloseProtocol},
		"a browser's, of an old proxy":  {"GET http://x/ HTTP/1.0\n", session.CloseProtocol},
		"a line that is never finished": {"abc", session.CloseIdle},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			f := startLines(t, p, Config{BodyTimeout: 50 * time.Millisecond})
			c := f.raw(t)
			c.send(t, tt.sent)
			c.wantEnd(t, "")
			_ = c.Close()
			p.want(t, closedBy(tt.want, false))
		})
	}
}

// A client that says nothing may stay for as long as it likes.
func TestSilentLineClientStays(t *testing.T) {
	p := newPeer()
	f := startLines(t, p, Config{BodyTimeout: time.Millisecond, PingInterval: time.Millisecond, PongTimeout: time.Millisecond, HandshakeTimeout: time.Millisecond})
	c := f.raw(t)
	s := p.session1(t)
	for range 3 {
		c.send(t, "a\n")
		p.want(t, line("a"))
		<-time.After(20 * time.Millisecond)
	}
	if s.HasEnded() {
		t.Error("it was closed")
	}
}

// A client that has ended its side is answered for as long as somebody has something to say.
func TestHalfClosedByClient(t *testing.T) {
	p := newPeer()
	f := startLines(t, p, Config{IdleTimeout: 200 * time.Millisecond})
	c := f.raw(t)
	c.send(t, "a\n")
	c.closeWrite(t)
	p.want(t, line("a"), endOfInput)
	s := p.session1(t)
	for range 5 {
		<-time.After(60 * time.Millisecond)
		if err := s.Send([]byte("more"), false); err != nil {
			t.Fatal(err)
		}
		s.Flush()
	}
	c.wantEnd(t, "a\n"+strings.Repeat("more\n", 5))
	p.want(t, closedBy(session.CloseIdle, false)) // nobody closed it
}

// The end of what is written is the plugin's to say, while the client still sends.
func TestHalfClosedBySession(t *testing.T) {
	p := newPeer()
	f := startLines(t, p, Config{})
	c := f.raw(t)
	s := p.session1(t)
	_ = s.Send([]byte("bye"), false)
	s.CloseWith(session.CloseNormal)
	c.wantEnd(t, "bye\n")
	c.send(t, "nobody takes this\n") // and it resets nothing
	c.closeWrite(t)
	p.want(t, closedBy(session.CloseNormal, false))
}

// What was to be written reaches a client that ended its side while that was on its way.
func TestCloseBehindALongAnswer(t *testing.T) {
	p := newPeer()
	f := startLines(t, p, Config{})
	c := f.raw(t)
	s := p.session1(t)
	answer := strings.Repeat("x", 4<<20)
	_ = s.Send([]byte(answer), false)
	s.CloseWith(session.CloseNormal)
	c.closeWrite(t)
	c.wantEnd(t, answer+"\n")
	p.want(t, closedBy(session.CloseNormal, false))
}

func TestBinaryFramesAreWrittenAsTheyAre(t *testing.T) {
	p := newPeer()
	f := startLines(t, p, Config{})
	c := f.raw(t)
	s := p.session1(t)
	_ = s.Send([]byte("size 3"), false)
	_ = s.Send([]byte{0, '\n', 0xff}, true)
	s.CloseWith(session.CloseNormal)
	c.wantEnd(t, "size 3\n\x00\n\xff")
}

// A frame may change how what follows it is cut, however much of that was read before.
func TestRawBytes(t *testing.T) {
	blob := make([]byte, 300_000)
	_, _ = rand.Read(blob)
	for name, tt := range map[string]struct {
		bytes uint64
		sent  []byte
		lines []string // behind the raw bytes
	}{
		"exactly so many":      {300_000, append(append([]byte(nil), blob...), "after\nthat\n"...), []string{"after", "that"}},
		"one":                  {1, []byte("\nafter\n"), []string{"after"}},
		"line ends among them": {4, []byte("\n\r\n\nafter\n"), []string{"after"}},
		"until the end":        {0, blob, nil},
		"fewer than announced": {300_001, blob, nil},
	} {
		for split, size := range map[string]int{"at once": 1 << 20, "in pieces": 777} {
			t.Run(name+" "+split, func(t *testing.T) {
				p := newPeer()
				var raw []byte
				var took atomic.Bool
				p.onFrame = func(s *session.Session, data []byte, binary bool) {
					// The plugin takes its time: what is read meanwhile must not be cut yet.
					data = append([]byte(nil), data...)
					if took.Swap(true) {
						t.Errorf("frame %q before the last one was settled", data)
					}
					p.wg.Go(func() {
						defer s.Release(len(data))
						took.Store(false)
						switch {
						case binary:
							raw = append(raw, data...)
							if len(data) > rawChunk {
								t.Errorf("a chunk of %d bytes", len(data))
							}
						case string(data) == "RAW":
							s.SetFraming(true, tt.bytes)
						default:
							p.events <- line(string(data))
						}
					})
				}
				f := startLines(t, p, Config{})
				c := f.raw(t)
				all := append([]byte("RAW\n"), tt.sent...)
				for len(all) > 0 {
					n := min(size, len(all))
					if _, err := c.Write(all[:n]); err != nil {
						t.Fatal(err)
					}
					all = all[n:]
				}
				c.closeWrite(t)
				for _, l := range tt.lines {
					p.want(t, line(l))
				}
				p.want(t, endOfInput)
				want := tt.sent
				if tt.bytes > 0 {
					want = want[:min(uint64(len(want)), tt.bytes)]
				}
				if string(raw) != string(want) {
					t.Errorf("got %d raw bytes, want %d, or others", len(raw), len(want))
				}
			})
		}
	}
}

// A client that does not take its answers is not read.
func TestSlowLineReaderIsNotRead(t *testing.T) {
	p := newPeer()
	var frames atomic.Int64
	big := strings.Repeat("y", 64<<10)
	p.onFrame = func(s *session.Session, data []byte, _ bool) {
		frames.Add(1)
		_ = s.Send([]byte(big), false)
		s.Flush()
		s.Release(len(data))
	}
	f := startLines(t, p, Config{})
	c := f.raw(t)
	const lines = 1000
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, strings.Repeat("a\n", lines))
		written <- err
	}()
	s := p.session1(t)
	poll(t, "the outbox presses", func() bool { return s.Queued() > 64<<10 })
	if n := frames.Load(); n == lines {
		t.Errorf("all %d lines were taken of a client that reads nothing", n)
	}
	got, err := io.CopyN(io.Discard, c.r, lines*int64(len(big)+1))
	if err != nil {
		t.Fatalf("%d bytes, then %v", got, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestLineConnectionsThatAreRefused(t *testing.T) {
	local := *lineEntry
	local.LocalOnly = true
	handshake := *lineEntry
	handshake.Handshake = true
	web := *lineEntry
	web.TCP, web.WebSocket = false, true
	full := *lineEntry
	full.Seats = route.NewSeats(1)
	full.Seats.Take()
	for name, tt := range map[string]struct {
		entry   *route.Entry
		prepare func(p *peer)
		refused reason // reasons: it is not
	}{
		"open to all":               {lineEntry, func(*peer) {}, reasons},
		"from this machine":         {&local, func(*peer) {}, reasons},
		"everybody may come":        {&handshake, func(*peer) {}, reasons},
		"a route of WebSocket":      {&web, func(*peer) {}, notReady},
		"no plugin":                 {lineEntry, func(p *peer) { p.notReady.Store(true) }, notReady},
		"a session that is refused": {lineEntry, func(p *peer) { p.openErr = io.ErrClosedPipe }, notReady},
		"an auth that wants to see": {&handshake, func(p *peer) { p.onAdmit = turnsAway }, notAdmitted},
		"a seat too many":           {&full, func(*peer) {}, tooManySessions},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			tt.prepare(p)
			m := NewMetrics(prometheus.NewRegistry())
			f := start(t, p, Config{Lines: true, Metrics: m}, tt.entry)
			c := f.raw(t)
			if tt.refused < reasons {
				c.wantEnd(t, "")
				m.wantRefused(t, 1, tt.refused)
				return
			}
			c.send(t, "a\n")
			if got := c.read(t, 2); got != "a\n" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A server that stops takes no new connections, and leaves sessions to whoever closes them.
func TestLinesOutliveStop(t *testing.T) {
	p := newPeer()
	f := startLines(t, p, Config{})
	c := f.raw(t)
	s := p.session1(t)
	f.Stop()
	c.send(t, "a\n")
	if got := c.read(t, 2); got != "a\n" {
		t.Errorf("got %q", got)
	}
	if again, err := net.Dial("tcp", f.addr); err == nil {
		_ = again.Close()
		t.Error("connected after Stop")
	}
	s.CloseWith(session.CloseGoingAway)
	c.wantEnd(t, "")
}

// What a connection holds while it idles is small, whatever it sent before.
func TestInletShrinks(t *testing.T) {
	var in inlet
	for _, size := range []int{10, 600, 100_000} {
		for n := 0; n < size; {
			n += copy(in.room(false), make([]byte, size-n))
			in.w = in.r + n
		}
		in.drop(size)
	}
	if n := len(in.room(false)); n != leastInlet {
		t.Errorf("room for %d bytes behind 100,000, want %d", n, leastInlet)
	}
	if n := len(in.room(true)); n != rawChunk {
		t.Errorf("room for %d raw bytes, want %d", n, rawChunk)
	}
}

func turnsAway(context.Context, *session.Info) (*session.Admission, *Refusal) {
	return nil, &Refusal{Status: 401, Text: "Wrong credentials"}
}
