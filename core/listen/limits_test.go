package listen

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

func TestRate(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	p := newPeer()
	entry := &route.Entry{ID: "slow", Path: "/ws", WebSocket: true, Rate: route.Rate{Frames: 5, Per: 100 * time.Millisecond}}
	// A client that answers no pings is not idle while it is kept waiting.
	f := start(t, p, Config{Metrics: m, PingInterval: 25 * time.Millisecond, PongTimeout: 25 * time.Millisecond}, entry)
	began := time.Now()
	const frames = 20
	c := f.rawSocket(t, strings.Repeat(clientFrame(final|opText, "x"), frames-10)+strings.Repeat(clientFrame(final|opPing, "y"), 10))
	for i := range frames {
		want := "\x81\x01x"
		if i >= frames-10 {
			want = "\x8a\x01y"
		}
		if got := c.read(t, 3); got != want {
			t.Fatalf("answer %d: got %q, want %q", i, got, want)
		}
	}
	// Five at once, then one every 20 ms; the last is answered before its share of the time has passed.
	least := (frames - 5 - 1) * 20 * time.Millisecond
	if took := time.Since(began); took < least {
		t.Errorf("%d frames took %v, want %v", frames, took, least)
	}
	if got := testutil.ToFloat64(m.limited.WithLabelValues("slow")); got < 0.9*least.Seconds() {
		t.Errorf("%v s are counted, want %v", got, least)
	}
}

// TestRateOfFragments: the rate counts messages, in however many fragments they come; but empty fragments, of
// which a message may have any number, count.
func TestRateOfFragments(t *testing.T) {
	p := newPeer()
	entry := &route.Entry{ID: "slow", Path: "/ws", WebSocket: true, Rate: route.Rate{Frames: 5, Per: time.Second}}
	f := start(t, p, Config{}, entry)
	message := func(part string) string {
		return clientFrame(opText, part) + strings.Repeat(clientFrame(opMore, part), 18) + clientFrame(final|opMore, "z")
	}
	began := time.Now()
	c := f.rawSocket(t, strings.Repeat(message("x"), 3))
	for range 3 {
		if got, want := c.read(t, 22), "\x81\x14"+strings.Repeat("x", 19)+"z"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("3 messages in 60 fragments took %v", took)
	}
	began = time.Now()
	c.send(t, message(""))
	if got, want := c.read(t, 3), "\x81\x01z"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("a message with 19 empty fragments took %v", took)
	}
}

func TestRateDoesNotHoldTheEnd(t *testing.T) {
	p := newPeer()
	entry := &route.Entry{ID: "hourly", Path: "/ws", WebSocket: true, Rate: route.Rate{Frames: 1, Per: time.Hour}}
	f := start(t, p, Config{}, entry)
	c := f.rawSocket(t, strings.Repeat(clientFrame(final|opText, "x"), 3))
	s := p.session1(t)
	if got := c.read(t, 6); got != "\x81\x01x\x81\x01x" { // the second is answered, then nothing is read
		t.Fatalf("got %q", got)
	}
	s.Close(4001, "enough")
	c.read(t, 10)
	c.send(t, clientFrame(final|opClose, "\x0f\xa1"))
	c.wantEnd(t, "")
}

func TestSeats(t *testing.T) {
	seats := route.NewSeats(3)
	p := newPeer()
	p.onRequest = repeats
	f := start(t, p, Config{},
		&route.Entry{ID: "few", Path: "/ws", WebSocket: true, Seats: seats},
		&route.Entry{ID: "few", Path: "/also", WebSocket: true, HTTP: true, Seats: seats})
	for range 3 {
		var came, refused atomic.Int64
		var mu sync.Mutex
		var open []*raw
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				c := f.raw(t)
				c.send(t, strings.Replace(handshakeText, "/ws", []string{"/ws", "/also"}[i%2], 1))
				res, err := http.ReadResponse(c.r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
				mu.Lock()
				open = append(open, c)
				mu.Unlock()
				switch {
				case res.StatusCode == http.StatusSwitchingProtocols:
					came.Add(1)
				case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Errorf("got %d %v", res.StatusCode, res.Header)
				}
			})
		}
		wg.Wait()
		if came.Load() != 3 || refused.Load() != 17 || seats.Taken() != 3 {
			t.Fatalf("%d came in and %d were refused, of 3 and 17; %d seats are taken", came.Load(), refused.Load(), seats.Taken())
		}
		if res, _ := f.answer(t, "GET /also HTTP/1.1\r\nHost: h\r\n\r\n"); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a request got %d", res.StatusCode)
		}
		for _, c := range open {
			_ = c.Close()
		}
		poll(t, "seats are given back", func() bool { return seats.Taken() == 0 })
	}
}

// TestSeatsComeBack has every way in which a session does not come to be, or ends.
func TestSeatsComeBack(t *testing.T) {
	seats := route.NewSeats(1)
	p := newPeer()
	p.onFrame = func(*session.Session, []byte, bool) { panic("ouch") }
	p.onRequest = func(s *session.Session, _ []byte, w session.ResponseWriter) {
		if seats.Taken() != 1 {
			t.Error("a request has no seat")
		}
		switch s.Info.Path {
		case "/in/pieces":
			_ = w.Respond(200, nil, []byte("one"), false)
			_ = w.Respond(0, nil, []byte("two"), true)
		case "/in/cut":
			_ = w.Respond(200, nil, []byte("one"), false)
			s.CloseWith(session.CloseInternal)
		case "/in/ended":
			s.Ended(1001, "", false)
		default:
			_ = w.Respond(200, nil, nil, true)
		}
	}
	p.onAdmit = func(_ context.Context, info *session.Info) (*session.Admission, *Refusal) {
		switch info.Path {
		case "/in/refused":
			return nil, &Refusal{Status: 401}
		case "/in/panics":
			panic("ouch")
		}
		return &session.Admission{}, nil
	}
	f := start(t, p, Config{MaxBody: 100}, &route.Entry{ID: "few", Path: "/in/", WebSocket: true, HTTP: true, Handshake: true, Seats: seats})
	get := func(path string) string {
		return "GET /in/" + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	}
	upgrade := strings.Replace(handshakeText, "/ws", "/in/x", 1)
	for name, sent := range map[string]string{
		"a request":             get("x"),
		"in pieces":             get("pieces"),
		"cut off":               get("cut"),
		"ended":                 get("ended"),
		"refused":               get("refused"),
		"the backend panics":    get("panics"),
		"bad handshake":         strings.Replace(upgrade, "13", "8", 1),
		"body too large":        "POST /in/x HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n" + strings.Repeat("x", 101),
		"body with a fault":     "POST /in/x HTTP/1.1\r\nHost: h\r\n" + chunks + "+1\r\n",
		"socket, panic":         upgrade + clientFrame(final|opText, "x"),
		"socket, close":         upgrade + clientFrame(final|opClose, ""),
		"socket, fault":         upgrade + clientFrame(final|0x70, ""),
		"socket, in a fragment": upgrade + clientFrame(opText, "x"),
	} {
		t.Run(name, func(t *testing.T) {
			c := f.raw(t)
			c.send(t, sent)
			if strings.Contains(sent, "Upgrade") {
				_ = c.CloseWrite()
			}
			_, _ = c.r.WriteTo(discard{})
			_ = c.Close()
			poll(t, "the seat is given back", func() bool { return seats.Taken() == 0 })
		})
	}
	p.openErr = errors.New("no")
	for _, sent := range []string{get("x"), upgrade} {
		_, _ = f.answer(t, sent)
		poll(t, "the seat is given back", func() bool { return seats.Taken() == 0 })
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (c *raw) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// distant is a listener whose clients come from elsewhere, as they say in turn.
type distant struct {
	net.Listener
	from chan string
}

type distantConn struct {
	net.Conn
	from net.Addr
}

func (c distantConn) RemoteAddr() net.Addr { return c.from }

func (l distant) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return distantConn{c, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(<-l.from))}, nil
}

func TestConnectionsOfAnAddress(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := distant{ln, make(chan string, 1)}
	p := newPeer()
	table, err := route.New([]*route.Entry{socket})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{peer: p, addr: ln.Addr().String(), routes: new(atomic.Pointer[route.Table])}
	f.routes.Store(table)
	m := NewMetrics(prometheus.NewRegistry())
	f.Server = New(Config{Routes: f.routes, MaxPerAddress: 2, MaxConnections: 8, TrustedProxies: prefixes("10.0.0.0/8"), Metrics: m}, p)
	f.ln = l
	served := make(chan error, 1)
	go func() { served <- f.Serve() }()
	var open []*websocket.Conn
	for i, tt := range []struct {
		from string
		in   bool
	}{
		{"192.0.2.1:1", true},
		{"192.0.2.1:2", true},
		{"192.0.2.1:3", false},
		{"[::ffff:192.0.2.1]:4", false},
		{"192.0.2.2:1", true},
		{"[2001:db8::1]:1", true},
		{"[2001:db8::ffff]:1", true},
		{"[2001:db8::2]:1", false},
		{"10.0.0.1:1", true},
		{"10.0.0.1:2", true},
		{"10.0.0.1:3", true},
		{"127.0.0.1:1", false}, // there are eight
	} {
		l.from <- tt.from
		ws, res, err := websocket.DefaultDialer.Dial("ws://"+f.addr+"/ws", nil)
		if (err == nil) != tt.in {
			t.Fatalf("%d, %s: %v", i, tt.from, err)
		}
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		open = append(open, ws)
	}
	count := func(r string) float64 { return testutil.ToFloat64(m.refused.WithLabelValues("", r)) }
	if count("address") != 3 || count("connections") != 1 || testutil.ToFloat64(m.connections) != 8 {
		t.Errorf("%v and %v were refused, %v are open", count("address"), count("connections"), testutil.ToFloat64(m.connections))
	}
	for _, ws := range open {
		_ = ws.Close()
	}
	poll(t, "all are over", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.doors.open == 0 && len(f.doors.of) == 0
	})
	l.from <- "192.0.2.1:5"
	ws, res, err := websocket.DefaultDialer.Dial("ws://"+f.addr+"/ws", nil)
	if err != nil {
		t.Fatalf("again: %v", err)
	}
	_ = res.Body.Close()
	_ = ws.Close()
	if err := f.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestAddressKey(t *testing.T) {
	s := New(Config{TrustedProxies: prefixes("10.0.0.0/8", "fd00::/8")}, nil)
	for text, want := range map[string]string{
		"192.0.2.1":     "192.0.2.1",
		"2001:db8::1":   "2001:db8::",
		"2001:db8::1:1": "2001:db8::",
		"2001:db8:1::1": "2001:db8:1::",
		"127.0.0.1":     "invalid IP",
		"127.9.9.9":     "invalid IP",
		"::1":           "invalid IP",
		"10.1.2.3":      "invalid IP",
		"fd00::1":       "invalid IP",
	} {
		if got := s.keyOf(netip.MustParseAddr(text)).String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestBudgetOfBodies(t *testing.T) {
	b := session.NewBudget(100 << 10)
	hold, held := make(chan struct{}), make(chan struct{})
	m := NewMetrics(prometheus.NewRegistry())
	f := startPlain(t, Config{Budget: b, Metrics: m}, func(s *session.Session, body []byte, w session.ResponseWriter) {
		if s.Info.Path == "/api/hold" {
			held <- struct{}{}
			<-hold
			body = body[:10]
		}
		repeats(s, body, w)
	})
	post := func(path string, n int) (*raw, string) {
		c := f.raw(t)
		c.send(t, "POST /api/"+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n"+strings.Repeat("x", n))
		return c, path
	}
	first, _ := post("hold", 60_000)
	<-held
	second, _ := post("x", 60_000)
	if res, _ := second.response(t, "POST"); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !res.Close {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
	}
	m.wantRefused(t, 1, noMemory)
	if res, _ := f.answer(t, getHead+"\r\n"); res.StatusCode != http.StatusOK {
		t.Errorf("a small one got %d", res.StatusCode)
	}
	_, _ = post("part", 30_000) // and left
	close(hold)
	if res, body := first.response(t, "POST"); res.StatusCode != http.StatusOK || body != "POST /api/hold? xxxxxxxxxx" {
		t.Errorf("the first got %d", res.StatusCode)
	}
	_ = first.Close()
}

func TestBudgetOfMessages(t *testing.T) {
	b := session.NewBudget(100 << 10)
	p := newPeer()
	p.limits = session.Limits{Budget: b, CloseTimeout: 50 * time.Millisecond}
	f := start(t, p, Config{})
	parts := []*raw{
		f.rawSocket(t, clientFrame(final|opText, strings.Repeat("x", 80_000))[:70_000]),
		f.rawSocket(t, clientFrame(opText, strings.Repeat("x", 20_000))),
	}
	poll(t, "both are counted", func() bool { return b.Used() >= (64+16)<<10 })
	third := f.rawSocket(t, clientFrame(opText, strings.Repeat("x", 40_000)))
	got, err := readClose(parts[0])
	if err != nil || got != "\x88\x0f\x03\xf5slow consumer" {
		t.Errorf("the largest got %q, %v", got, err)
	}
	// The others go on.
	third.send(t, clientFrame(final, "y"))
	parts[1].send(t, clientFrame(final, "y"))
	if got := third.read(t, 4+40_001); !strings.HasSuffix(got, "xy") {
		t.Errorf("got %q", got[len(got)-10:])
	}
	parts[1].read(t, 4+20_001)
	poll(t, "all is given back", func() bool { return b.Used() == 0 })
}

// readClose reads to the end.
func readClose(c *raw) (string, error) {
	var b strings.Builder
	_, err := c.r.WriteTo(&b)
	return b.String(), err
}
