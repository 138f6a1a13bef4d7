package listen

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// noise is text that does not compress.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func speech(n int) string { return strings.Repeat("what is said again and again, ", n/30+1)[:n] }

// payload takes apart a server's frame.
func payload(t *testing.T, frame []byte) (first byte, data string) {
	t.Helper()
	head := 2
	switch frame[1] {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	data = string(frame[head:])
	if want := appendHead(nil, frame[0], len(data)); !bytes.Equal(frame[:head], want) {
		t.Fatalf("head %x of %d bytes, want %x", frame[:head], len(data), want)
	}
	return frame[0], data
}

// inflatedAgain is what a client that keeps no window makes of a payload.
func inflatedAgain(t *testing.T, data string) string {
	t.Helper()
	b, err := io.ReadAll(flate.NewReader(strings.NewReader(data + deflateTail)))
	if err != nil {
		t.Fatalf("%.100q does not inflate: %v", data, err)
	}
	return string(b)
}

// TestCompressedFrames: what is short, or would not become shorter, stays as it is.
func TestCompressedFrames(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		binary     bool
		off        bool
		first      byte
	}{
		{"empty", "", false, false, wholeText},
		{"short", speech(leastDeflated - 1), false, false, wholeText},
		{"just long enough", speech(leastDeflated), false, false, packedText},
		{"a binary", speech(leastDeflated), true, false, packedBinary},
		{"still long behind it", speech(1 << 20), false, false, packedText},
		{"noise", noise(leastDeflated), true, false, wholeBinary},
		{"much noise", noise(1 << 20), true, false, wholeBinary},
		{"half of it noise", noise(600) + speech(600), true, false, packedBinary},
		{"not agreed on", speech(4096), false, true, wholeText},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &conn{srv: New(Config{}, nil), deflates: !tt.off}
			for range 4 { // from the third on it is remembered
				before := []byte("before")
				frame := c.AppendFrame(before, []byte(tt.text), tt.binary)
				rest, ok := bytes.CutPrefix(frame, before)
				if !ok {
					t.Fatalf("%.20q is gone", before)
				}
				first, data := payload(t, rest)
				if first != tt.first {
					t.Errorf("first byte %x, want %x", first, tt.first)
				}
				if first&compressed != 0 {
					if len(data) >= len(tt.text) {
						t.Errorf("%d bytes became %d", len(tt.text), len(data))
					}
					data = inflatedAgain(t, data)
				}
				if data != tt.text {
					t.Errorf("got %.100q, want %.100q", data, tt.text)
				}
			}
		})
	}
}

// TestMessageToMany: it is compressed twice however many get it, and found again by its content alone.
func TestMessageToMany(t *testing.T) {
	k := &New(Config{}, nil).packer
	buf := []byte(speech(2000))
	kept := func() (n int) {
		for i := range k.slots {
			if k.slots[i].kept.Load() != nil {
				n++
			}
		}
		return n
	}
	for i, want := range []int{0, 1, 1, 1} {
		if k.appendFrame(nil, buf, wholeText); kept() != want {
			t.Errorf("%d are remembered behind receiver %d, want %d", kept(), i+1, want)
		}
	}
	frame := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { k.appendFrame(frame, buf, wholeText) }); n != 0 {
		t.Errorf("%v allocations for one more receiver", n)
	}
	// Whoever publishes writes the next message where this one was.
	copy(buf, "other")
	_, data := payload(t, k.appendFrame(nil, buf, wholeText))
	if got := inflatedAgain(t, data); got != string(buf) {
		t.Errorf("got %.100q, want %.100q", got, buf)
	}
	large := []byte(speech(keepMessage + 1))
	before := kept()
	for range 3 {
		k.appendFrame(nil, large, wholeText)
	}
	if kept() != before {
		t.Error("a large message is remembered")
	}
}

// TestMessagesToManyAtOnce: several publish at the same time, each in one buffer of its own.
func TestMessagesToManyAtOnce(t *testing.T) {
	k := &New(Config{}, nil).packer
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var buf, frame []byte
			for i := range 50 {
				buf = fmt.Appendf(buf[:0], "%d %d %s", g%2, i, speech(1000))
				for range 5 {
					frame = k.appendFrame(frame[:0], buf, wholeText)
					_, data := payload(t, frame)
					if got := inflatedAgain(t, data); got != string(buf) {
						t.Errorf("got %.20q, want %.20q", got, buf)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestGorillaCompresses: an independent client that compresses, and one that does not, hear what they
// said.
func TestGorillaCompresses(t *testing.T) {
	p := newPeer()
	p.onFrame = echoing{}.Frame
	f := start(t, p, Config{Compression: true})
	for _, offers := range []bool{true, false} {
		t.Run(fmt.Sprintf("compression %v", offers), func(t *testing.T) {
			d := websocket.Dialer{EnableCompression: offers}
			ws, res, err := d.Dial("ws://"+f.addr+"/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			defer func() { _ = ws.Close() }()
			_ = ws.SetReadDeadline(time.Now().Add(patience))
			if agreed := res.Header.Get("Sec-WebSocket-Extensions") != ""; agreed != offers {
				t.Errorf("answered %v", res.Header)
			}
			for i, text := range []string{"", "a", speech(511), speech(512), speech(513), speech(70_000), speech(1 << 20), speech(600), noise(600), noise(100_000), noise(1 << 20)} {
				for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
					if kind == websocket.TextMessage && i > 7 {
						continue
					}
					_ = ws.SetCompressionLevel(i % 10)
					ws.EnableWriteCompression(i%3 != 2)
					// A writer of gorilla's sends more than its buffer in fragments.
					w, err := ws.NextWriter(kind)
					if err == nil {
						_, err = io.WriteString(w, text)
					}
					if err == nil {
						err = w.Close()
					}
					if err != nil {
						t.Fatal(err)
					}
					got, data, err := ws.ReadMessage()
					if err != nil || got != kind || string(data) != text {
						t.Fatalf("message %d: got kind %d, %d bytes, %v, want %d, %d", i, got, len(data), err, kind, len(text))
					}
				}
			}
		})
	}
}

// TestBombIsBounded: what a message costs follows the limit, not what it would become.
func TestBombIsBounded(t *testing.T) {
	c := packedConn(t, 1<<16)
	bomb := []byte(deflated(t, strings.Repeat("\x00", 32<<20), 9))
	var buf []byte
	err := c.inflate(&buf, &bomb, false)
	if !errors.Is(err, errInflated) || cap(buf) > 4<<16 {
		t.Errorf("%v with a buffer of %d bytes, want %v and no more than %d", err, cap(buf), errInflated, 4<<16)
	}
	for limit, want := range map[int64]int64{-1: mostInflated, 0: mostInflated, 1: 1, 1 << 20: 1 << 20, 1<<63 - 1: 1<<62 - 1} {
		if got := inflatedSize(limit); got != want {
			t.Errorf("limit %d: messages of %d bytes, want %d", limit, got, want)
		}
		if got := packedSize(limit); got < want {
			t.Errorf("limit %d: frames of %d bytes, want more than %d", limit, got, want)
		}
	}
}

// packedConn is a connection that has agreed to compress, without a socket.
func packedConn(tb testing.TB, limit int64) *conn {
	tb.Helper()
	c := newConn(New(Config{Routes: new(atomic.Pointer[route.Table])}, nil), &route.Entry{ID: "packed", MaxFrame: limit}, &tape{})
	c.deflates = true
	c.sess = session.New(1, &session.Info{}, c, &counter{}, session.NewLimits(session.Limits{Budget: session.NewBudget(1 << 30)}))
	return c
}

// TestCompressionDoesNotAllocate: on a connection that compresses neither what is plain nor what is
// compressed costs memory, in either direction.
func TestCompressionDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop things at random")
	}
	text := speech(4096)
	for name, frame := range map[string]string{
		"plain": clientFrame(wholeText, text), "compressed": clientFrame(packedText, deflated(t, text, 1)),
		"in fragments": clientFrame(packedPart, deflated(t, text, 1)) + clientFrame(final, ""),
	} {
		t.Run(name, func(t *testing.T) {
			c := packedConn(t, 1<<20)
			said, out, buf := []byte(text), make([]byte, 0, 8192), make([]byte, len(frame))
			if n := testing.AllocsPerRun(1000, func() {
				feedFrame(t, c, buf, frame, 1)
				out = c.AppendFrame(out[:0], said, false)
			}); n != 0 {
				t.Errorf("%v allocations a frame", n)
			}
		})
	}
}

func BenchmarkCompressed(b *testing.B) {
	for name, size := range map[string]int{"1024": 1 << 10, "32768": 32 << 10} {
		text := speech(size)
		b.Run("inflate/"+name, func(b *testing.B) {
			c := packedConn(b, 1<<20)
			packed, buf := []byte(deflated(b, text, 1)), []byte(nil)
			n := len(packed)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				packed = packed[:n]
				if err := c.inflate(&buf, &packed, false); err != nil {
					b.Fatal(err)
				}
			}
		})
		for what, same := range map[string]bool{"one": false, "many": true} {
			b.Run("deflate/"+what+"/"+name, func(b *testing.B) {
				c, data, dst := packedConn(b, 1<<20), []byte(text), []byte(nil)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if !same {
						data[0], data[1], data[2] = byte(i), byte(i>>8), byte(i>>16)
					}
					dst = c.AppendFrame(dst[:0], data, true)
				}
			})
		}
	}
}
