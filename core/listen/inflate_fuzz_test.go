package listen

import (
	"compress/flate"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/route"
)

// clientFrames takes apart what a client sends; the last frame may be cut. Payloads are without masks.
func clientFrames(text string, each func(at int, first byte, payload string) bool) {
	for at := 0; at+6 <= len(text); {
		n, head := int(text[at+1]&0x7f), 6
		if n == 126 {
			n, head = int(text[at+2])<<8|int(text[at+3]), 8
		}
		if n == 127 || at+head > len(text) {
			return
		}
		payload := []byte(text[at+head : min(at+head+n, len(text))])
		unmask(payload, [4]byte([]byte(text[at+head-4:at+head])))
		if !each(at, text[at], string(payload)) {
			return
		}
		at += head + n
	}
}

// lenientRSV1 is where gorilla begins to take RSV1 where only the first frame of a message may have it.
func lenientRSV1(text string) int {
	end := len(text)
	clientFrames(text, func(at int, first byte, _ string) bool {
		if op := first & opMask; first&compressed != 0 && op != opText && op != opBinary {
			end = at
			return false
		}
		return true
	})
	return end
}

// lastBlock says whether a message has a block that is marked as the last. What is behind it, and
// whether anything is, gorilla does not look at.
func lastBlock(text string) (has bool) {
	var message strings.Builder
	clientFrames(text, func(_ int, first byte, payload string) bool {
		op := first & opMask
		if op >= opClose {
			return true
		}
		if op != opMore {
			message.Reset()
		}
		message.WriteString(payload)
		in := strings.NewReader(message.String() + deflateTail)
		_, err := io.Copy(io.Discard, flate.NewReader(in))
		has = err == nil && in.Len() > 0
		return !has
	})
	return has
}

// FuzzCompressedFrames compares what is read from any bytes, in any pieces, on a connection that
// compresses, with what gorilla reads by itself.
func FuzzCompressedFrames(f *testing.F) {
	const limit = 1000
	say := func(text string, level int) string {
		var b strings.Builder
		w, err := flate.NewWriter(&b, level)
		if err != nil {
			f.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
		_ = w.Flush()
		return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
	}
	for _, text := range []string{
		clientFrame(packedText, hello), clientFrame(packedText, "\x00"), clientFrame(packedText, ""), clientFrame(wholeText, "Hello"),
		clientFrame(packedPart, hello[:3]) + clientFrame(ping, "x") + clientFrame(final, hello[3:]),
		clientFrame(packedText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), clientFrame(packedText, "\xf3\x48\xcd\xc9\xc9\x07\x00"+hello),
		clientFrame(packedText, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), clientFrame(packedText, "\xf2\x00\x11\x00\x00"),
		clientFrame(packedText, say(speech(1000), 9)), clientFrame(packedText, say(speech(1001), 9)), clientFrame(packedBinary, say(speech(100_000), 9)),
		clientFrame(packedBinary, say(noise(999), 0)), clientFrame(packedText, say("a\xff", 1)), clientFrame(packedText, say("Grüße", flate.HuffmanOnly)),
		clientFrame(final|compressed, hello), clientFrame(ping|compressed, ""), clientFrame(packedText|0x20, hello), clientFrame(packedText, "\x06"),
		clientFrame(packedText, hello) + clientFrame(final|opClose, "\x03\xe8bye"),
	} {
		f.Add(text, []byte{})
		f.Add(text+text, []byte{5, 0, 250})
	}
	entry := &route.Entry{ID: "fuzz", Path: "/ws", WebSocket: true, MaxFrame: limit}
	f.Fuzz(func(t *testing.T, text string, pieces []byte) {
		if at := min(lenient(text), lenientRSV1(text)); at < len(text) {
			if got := ours(t, entry, text, pieces, true); got.code == 1006 || got.code == 1000 {
				t.Errorf("%q: got %q %d", text, got.frames, got.code)
			}
			text = text[:at]
		}
		got := ours(t, entry, text, pieces, true)
		if lastBlock(text) {
			return
		}
		want := gorillas(t, packedSize(limit), text, true)
		n := len(got.frames)
		if got.code == 1009 { // gorilla has no limit for what it inflates
			want.frames = want.frames[:min(n, len(want.frames))]
		}
		if !slices.Equal(got.frames, want.frames) {
			t.Fatalf("%q\ngot  %q %d\nwant %q %d", text, got.frames, got.code, want.frames, want.code)
		}
		switch {
		case got.code == want.code, got.code == 1009:
		case got.code == 1007 && want.code == 1002: // a close's reason
		case want.code == 1006 && got.code == 1002: // what does not inflate
		default:
			// gorilla inflates while it reads: what came behind the fault it has not seen.
			if want.code != 1006 {
				t.Errorf("%q\ngot  %q %d %q\nwant %q %d %q", text, got.frames, got.code, got.reason, want.frames, want.code, want.reason)
			}
		}
	})
}
