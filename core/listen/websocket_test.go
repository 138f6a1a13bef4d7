package listen

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

func echo(t *testing.T, ws *websocket.Conn, kind int, text string) {
	t.Helper()
	if err := ws.WriteMessage(kind, []byte(text)); err != nil {
		t.Fatal(err)
	}
	gotKind, got, err := ws.ReadMessage()
	if err != nil || gotKind != kind || string(got) != text {
		t.Fatalf("got %d, %d bytes, %v, want %d, %d bytes back", gotKind, len(got), err, kind, len(text))
	}
}

func TestEchoOfAllSizes(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{})
	ws := f.dial(t, "/ws")
	for _, n := range []int{0, 1, 7, 8, 9, 124, 125, 126, 127, 503, 504, 505, 506, 511, 512, 513, 4096, 65535, 65536, 300_000, 1 << 20} {
		echo(t, ws, websocket.TextMessage, strings.Repeat("x", n))
		echo(t, ws, websocket.BinaryMessage, strings.Repeat("\xff", n))
	}
}

func TestCloseByClient(t *testing.T) {
	tests := map[string]struct {
		payload, echo string
		want          event
	}{
		"with a code and a reason": {"\x03\xe8bye", "\x88\x02\x03\xe8", event{kind: "closed", code: 1000, reason: "bye", byClient: true}},
		"with a code of its own":   {"\x0f\xa0", "\x88\x02\x0f\xa0", event{kind: "closed", code: 4000, byClient: true}},
		"with nothing":             {"", "\x88\x00", event{kind: "closed", code: 1005, byClient: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			c := start(t, p, Config{}).rawSocket(t, "")
			c.send(t, clientFrame(final|opClose, tt.payload))
			c.wantEnd(t, tt.echo)
			p.want(t, tt.want)
		})
	}
}

func TestCloseByCore(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{})
	c := f.rawSocket(t, "")
	s := p.session1(t)
	s.Close(4001, "enough")
	if got := c.read(t, 10); got != "\x88\x08\x0f\xa1enough" {
		t.Fatalf("got %q", got)
	}
	// What comes now is dropped, until the answer.
	c.send(t, clientFrame(final|opText, "too late")+clientFrame(final|opClose, "\x0f\xa1"))
	c.wantEnd(t, "")
	p.want(t, event{kind: "closed", code: 4001, reason: "enough"})
}

func TestCloseByCoreWithoutAnswer(t *testing.T) {
	p := newPeer()
	p.limits.CloseTimeout = 10 * time.Millisecond
	c := start(t, p, Config{}).rawSocket(t, "")
	p.session1(t).Close(4001, "")
	c.wantEnd(t, "\x88\x02\x0f\xa1")
	p.want(t, event{kind: "closed", code: 4001})
}

func TestClientLost(t *testing.T) {
	for name, sent := range map[string]string{
		"between frames":       "",
		"in a header":          "\x81",
		"in a long header":     "\x81\xfe\x01",
		"in a frame":           clientFrame(final|opText, "hello")[:8],
		"in a long frame":      clientFrame(final|opText, strings.Repeat("x", 9000))[:5000],
		"between fragments":    clientFrame(opText, "hello"),
		"in a control frame":   clientFrame(final|opPing, "hello")[:8],
		"in a close":           clientFrame(final|opClose, "\x03\xe8")[:7],
		"behind a lone header": clientFrame(final|opText, "hello")[:6],
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			c := start(t, p, Config{}).rawSocket(t, "")
			c.send(t, sent)
			_ = c.Close()
			p.want(t, event{kind: "closed", code: 1006, byClient: true})
		})
	}
}

func TestFragments(t *testing.T) {
	p := newPeer()
	c := start(t, p, Config{}).rawSocket(t, "")
	c.send(t, clientFrame(opText, "Gr\xc3")+clientFrame(final|opPing, "are you there")+clientFrame(0, "\xbc\xc3")+
		clientFrame(final|opPong, "")+clientFrame(final, "\x9fe")+clientFrame(final|opText, "next"))
	p.want(t, event{kind: "frame", data: "Grüße"}, event{kind: "frame", data: "next"})
	if got, want := c.read(t, 15), "\x8a\x0dare you there"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := c.read(t, 9+6), "\x81\x07Grüße\x81\x04next"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestByteAtATime(t *testing.T) {
	p := newPeer()
	c := start(t, p, Config{}).raw(t)
	for _, b := range []byte(handshakeText + clientFrame(final|opText, "hello") + clientFrame(final|opPing, "x") +
		clientFrame(opBinary, "a") + clientFrame(final, "b") + clientFrame(final|opText, strings.Repeat("y", 600)) +
		clientFrame(final|opClose, "\x03\xe8")) {
		c.send(t, string([]byte{b}))
	}
	p.want(t, event{kind: "frame", data: "hello"}, event{kind: "frame", data: "ab", binary: true},
		event{kind: "frame", data: strings.Repeat("y", 600)}, event{kind: "closed", code: 1000, byClient: true})
}

func TestPipelined(t *testing.T) {
	for name, more := range map[string][]string{
		"one frame":             {"first"},
		"frames":                {"first", "second", "third"},
		"a frame above the pad": {strings.Repeat("x", 3000), "then"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			f := start(t, p, Config{})
			var sent, want strings.Builder
			for _, text := range more {
				sent.WriteString(clientFrame(final|opText, text))
			}
			c := f.rawSocket(t, sent.String())
			for _, text := range more {
				p.want(t, event{kind: "frame", data: text})
				want.Write(new(conn).AppendFrame(nil, []byte(text), false))
			}
			if got := c.read(t, want.Len()); got != want.String() {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestMuchAtOnce(t *testing.T) {
	const frames = 3000
	p := newPeer()
	got := make(chan int, frames)
	p.onFrame = func(s *session.Session, data []byte, _ bool) {
		if len(data) == 0 || strings.Trim(string(data), string(data[:1])) != "" {
			t.Errorf("a mixed frame of %d bytes", len(data))
		}
		got <- len(data)
		s.Release(len(data))
	}
	f := start(t, p, Config{})
	sizes := rand.New(rand.NewPCG(1, 2))
	var sent strings.Builder
	want := make([]int, frames)
	for i := range want {
		want[i] = 1 + int(sizes.ExpFloat64()*600)
		sent.WriteString(clientFrame(final|opText, strings.Repeat(string(rune('a'+i%26)), want[i])))
	}
	f.rawSocket(t, sent.String())
	for i, n := range want {
		if m := <-got; m != n {
			t.Fatalf("frame %d has %d bytes, want %d", i, m, n)
		}
	}
}

func TestFaults(t *testing.T) {
	entry := &route.Entry{ID: "small", Path: "/ws", WebSocket: true, MaxFrame: 1000, MaxBinary: 2000}
	tests := map[string]struct {
		sent   string
		code   int
		reason string
	}{
		"not masked":                   {"\x81\x01x", 1002, "protocol error"},
		"reserved bit":                 {clientFrame(0xc1, "x"), 1002, "protocol error"},
		"reserved opcode":              {clientFrame(0x83, "x"), 1002, "protocol error"},
		"reserved control":             {clientFrame(0x8b, "x"), 1002, "protocol error"},
		"continuation of nothing":      {clientFrame(final, "x"), 1002, "protocol error"},
		"text inside a message":        {clientFrame(opText, "x") + clientFrame(final|opText, "y"), 1002, "protocol error"},
		"long control":                 {clientFrame(final|opPing, strings.Repeat("x", 126)), 1002, "protocol error"},
		"control in fragments":         {clientFrame(opPing, "x"), 1002, "protocol error"},
		"close with half a code":       {clientFrame(final|opClose, "\x03"), 1002, "protocol error"},
		"close with a bad code":        {clientFrame(final|opClose, "\x03\xee"), 1002, "protocol error"},
		"close with bad UTF-8":         {clientFrame(final|opClose, "\x03\xe8\xff"), 1007, "invalid UTF-8"},
		"bad UTF-8":                    {clientFrame(final|opText, "a\xff"), 1007, "invalid UTF-8"},
		"bad UTF-8, long":              {clientFrame(final|opText, strings.Repeat("x", 900)+"\xff"), 1007, "invalid UTF-8"},
		"bad UTF-8 over fragments":     {clientFrame(opText, "Gr\xc3") + clientFrame(final, "u"), 1007, "invalid UTF-8"},
		"cut UTF-8":                    {clientFrame(final|opText, "Gr\xc3"), 1007, "invalid UTF-8"},
		"text too large":               {clientFrame(final|opText, strings.Repeat("x", 1001)), 1009, "frame too large"},
		"binary too large":             {clientFrame(final|opBinary, strings.Repeat("x", 2001)), 1009, "frame too large"},
		"announced too large":          {"\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xff", 1009, "frame too large"},
		"announced beyond all":         {"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 1002, "protocol error"},
		"fragment beyond all":          {"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 1002, "protocol error"},
		"too large over fragments":     {clientFrame(opText, strings.Repeat("x", 600)) + clientFrame(final, strings.Repeat("x", 401)), 1009, "frame too large"},
		"binary too large, fragmented": {clientFrame(opBinary, strings.Repeat("x", 1600)) + clientFrame(final, strings.Repeat("x", 401)), 1009, "frame too large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			c := start(t, p, Config{}, entry).rawSocket(t, "")
			// More behind it must not cost the client its close frame.
			c.send(t, tt.sent+strings.Repeat("more", 1000))
			c.wantEnd(t, string(new(conn).AppendClose(nil, tt.code, tt.reason)))
			_ = c.Close()
			p.want(t, event{kind: "closed", code: tt.code, reason: tt.reason})
		})
	}
}

func TestFramesOfTheLimit(t *testing.T) {
	entry := &route.Entry{ID: "small", Path: "/ws", WebSocket: true, MaxFrame: 1000, MaxBinary: 2000}
	f := start(t, newPeer(), Config{}, entry)
	ws := f.dial(t, "/ws")
	echo(t, ws, websocket.TextMessage, strings.Repeat("x", 1000))
	echo(t, ws, websocket.BinaryMessage, strings.Repeat("x", 2000))
}

func TestOpenFails(t *testing.T) {
	p := newPeer()
	p.openErr = errors.New("no room")
	ws := start(t, p, Config{}).dial(t, "/ws")
	wantClose(t, ws, 1013, "try again later")
}

func TestPanicCostsOneSession(t *testing.T) {
	p := newPeer()
	p.onFrame = func(s *session.Session, data []byte, binary bool) {
		if string(data) == "bad" {
			panic("ouch")
		}
		_ = s.Send(data, binary)
		s.Flush()
		s.Release(len(data))
	}
	f := start(t, p, Config{})
	bad, good := f.dial(t, "/ws"), f.dial(t, "/ws")
	_ = bad.WriteMessage(websocket.TextMessage, []byte("bad"))
	wantClose(t, bad, 1011, "internal error")
	echo(t, good, websocket.TextMessage, "good")
	if !strings.Contains(f.logs.String(), "session failed") {
		t.Error("nothing was logged")
	}
}

func TestManyFramesInOrder(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{})
	ws := f.dial(t, "/ws")
	const n = 2000
	go func() {
		for i := range n {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(strconv.Itoa(i)+strings.Repeat(" ", i%700)))
		}
	}()
	for i := range n {
		_, got, err := ws.ReadMessage()
		if err != nil || strings.TrimSpace(string(got)) != strconv.Itoa(i) {
			t.Fatalf("frame %d: %q, %v", i, got, err)
		}
	}
}
