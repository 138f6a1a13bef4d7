package listen

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// deflated is the payload of a compressed message, by a writer that keeps no window.
func deflated(tb testing.TB, text string, level int) string {
	tb.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = w.Write([]byte(text))
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// hello is "Hello" (RFC 7692, 7.2.3.1).
const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"

// packedText begins a compressed text, packedPart one in fragments.
const (
	packedText   = wholeText | compressed
	packedBinary = wholeBinary | compressed
	packedPart   = opText | compressed
)

func compressionRows(t *testing.T) []conformance {
	t.Helper()
	answer := served(wholeText, "Hello")
	long := strings.Repeat("the same ", 100)
	most := strings.Repeat("m", 4096)
	const twoBlocks = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
	const lastBlock = "\xf3\x48\xcd\xc9\xc9\x07\x00" // "Hello" in a last block
	rows := []conformance{
		{"7.2.3.1", "a message", clientFrame(packedText, hello), answer, 0},
		{"7.2.3.1", "a message in fragments", clientFrame(packedPart, hello[:3]) + clientFrame(final, hello[3:]), answer, 0},
		{"7.2.3.1", "a fragment a byte", inParts(packedPart, hello), answer, 0},
		{"7.2.3.2", "a second message by itself", clientFrame(packedText, hello) + clientFrame(packedText, hello), answer + answer, 0},
		{"7.2.3.2", "a second message that needs the first", clientFrame(packedText, hello) + clientFrame(packedText, "\xf2\x00\x11\x00\x00"), answer, 1002},
		{"7.2.3.3", "a block that is not compressed", clientFrame(packedText, "\x00\x05\x00\xfa\xffHello\x00"), answer, 0},
		{"7.2.3.4", "a last block", clientFrame(packedText, lastBlock+"\x00"), answer, 0},
		{"7.2.3.4", "a last block with nothing behind", clientFrame(packedText, lastBlock), answer, 0},
		{"7.2.3.4", "a message behind one with a last block", clientFrame(packedText, lastBlock+"\x00") + clientFrame(packedText, hello), answer + answer, 0},
		{"7.2.3.4", "more behind a last block", clientFrame(packedText, lastBlock+hello), served(wholeText, "HelloHello"), 0},
		{"7.2.3.4", "more that looks back over a last block", clientFrame(packedText, lastBlock+"\xf2\x00\x11\x00\x00"), served(wholeText, "HelloHello"), 0},
		{"7.2.3.4", "a few last blocks", clientFrame(packedText, strings.Repeat(lastBlock, 8)), served(wholeText, strings.Repeat("Hello", 8)), 0},
		{"7.2.3.4", "too many last blocks", clientFrame(packedText, strings.Repeat("\x03\x00", 1000)), "", 1002},
		{"7.2.3.5", "two blocks", clientFrame(packedText, twoBlocks), answer, 0},
		{"7.2.3.5", "two blocks in fragments", clientFrame(packedPart, twoBlocks[:8]) + clientFrame(final, twoBlocks[8:]), answer, 0},
		{"7.2.3.6", "an empty message", clientFrame(packedText, "\x00"), served(wholeText, ""), 0},
		{"7.2.3.6", "an empty binary", clientFrame(packedBinary, "\x00"), served(wholeBinary, ""), 0},
		{"7.2.3.6", "an empty message in a longer way", clientFrame(packedText, "\x02\x00"), served(wholeText, ""), 0},
		{"7.2.3.6", "no block at all", clientFrame(packedText, ""), "", 1002},

		{"6", "what is not compressed", clientFrame(wholeText, "Hello"), answer, 0},
		{"6", "in turns", clientFrame(packedText, hello) + clientFrame(wholeText, "Hello") + clientFrame(packedText, hello), answer + answer + answer, 0},
		{"6", "fragments that are not compressed behind such that are", inParts(packedPart, hello) + inParts(opText, "Hello"), answer + answer, 0},
		{"6.1", "RSV1 of a ping", clientFrame(ping|compressed, "x"), "", 1002},
		{"6.1", "RSV1 of a pong", clientFrame(pong|compressed, ""), "", 1002},
		{"6.1", "RSV1 of a close", clientFrame(final|opClose|compressed, bye), "", 1002},
		{"6.1", "RSV1 of a continuation", clientFrame(packedPart, hello[:3]) + clientFrame(final|compressed, hello[3:]), "", 1002},
		{"6.1", "RSV1 of a continuation alone", clientFrame(opText, "x") + clientFrame(final|compressed, "y"), "", 1002},
		{"6.1", "RSV1 of a continuation of nothing", clientFrame(final|compressed, hello), "", 1002},
		{"6.1", "RSV1 of a reserved opcode", clientFrame(final|compressed|3, hello), "", 1002},
		{"6.1", "RSV1 and RSV2", clientFrame(packedText|0x20, hello), "", 1002},
		{"6.1", "RSV1 and RSV3", clientFrame(packedText|0x10, hello), "", 1002},
		{"6.1", "RSV2", clientFrame(wholeText|0x20, "x"), "", 1002},
		{"6.1", "a message in another", clientFrame(packedPart, hello[:3]) + clientFrame(packedText, hello), "", 1002},
		{"6.1", "a message that is not masked", "\xc1\x07" + hello, "", 1002},
		{"6.1", "a ping between fragments", clientFrame(packedPart, hello[:3]) + clientFrame(ping, "p") + clientFrame(final, hello[3:]), served(pong, "p") + answer, 0},
		{"6.1", "pings between empty fragments", clientFrame(packedPart, "") + clientFrame(ping, "1") + clientFrame(0, hello) + clientFrame(ping, "2") + clientFrame(final, ""), served(pong, "1") + served(pong, "2") + answer, 0},
		{"6.1", "a close between fragments", clientFrame(packedPart, hello), "", 0},

		{"7.2.2", "a longer message", clientFrame(packedText, deflated(t, long, 9)), packedAnswer(long), 0},
		{"7.2.2", "no compression", clientFrame(packedText, deflated(t, long, flate.NoCompression)), packedAnswer(long), 0},
		{"7.2.2", "Huffman codes alone", clientFrame(packedText, deflated(t, long, flate.HuffmanOnly)), packedAnswer(long), 0},
		{"7.2.2", "just within the limit", clientFrame(packedText, deflated(t, most, 9)), packedAnswer(most), 0},
		{"7.2.2", "just within the limit, not compressed", clientFrame(packedText, deflated(t, most, 0)), packedAnswer(most), 0},
		{"7.2.2", "a byte above the limit", clientFrame(packedText, deflated(t, most+"m", 9)), "", 1009},
		{"7.2.2", "a byte above the limit in fragments", inParts(packedPart, deflated(t, most+"m", 9)), "", 1009},
		{"7.2.2", "a bomb", clientFrame(packedText, deflated(t, strings.Repeat("\x00", 1<<20), 9)), "", 1009},
		{"7.2.2", "a bomb of a binary", clientFrame(packedBinary, deflated(t, strings.Repeat("\x00", 1<<18), 9)), "", 1009},
		{"7.2.2", "empty blocks above the limit", clientFrame(packedText, strings.Repeat("\x00\x00\x00\xff\xff", 2000)+hello), "", 1009},
		{"7.2.2", "empty blocks", clientFrame(packedText, strings.Repeat("\x00\x00\x00\xff\xff", 100)+hello), answer, 0},
		{"7.2.2", "a block of the reserved type", clientFrame(packedText, "\x06"), "", 1002},
		{"7.2.2", "what is no compression", clientFrame(packedText, "Hello, hello"), "", 1002},
		{"7.2.2", "a message that is cut", clientFrame(packedText, hello[:4]), "", 1002},
		{"7.2.2", "a block that takes what was left out", clientFrame(packedText, "\x00\x0e\x00\xf1\xffHello"), "", 1002},
		{"7.2.2", "a distance beyond the beginning", clientFrame(packedText, "\xf2\x00\x11\x00\x00"), "", 1002},
		{"7.2.2", "invalid UTF-8", clientFrame(packedText, deflated(t, "a\xffb", 1)), "", 1007},
		{"7.2.2", "invalid UTF-8 in a binary", clientFrame(packedBinary, deflated(t, "a\xffb", 1)), served(wholeBinary, "a\xffb"), 0},
		{"7.2.2", "UTF-8 over fragments", inParts(packedPart, deflated(t, "Grüße €", 1)), served(wholeText, "Grüße €"), 0},
	}
	for i := range rows {
		rows[i].name = rows[i].section + " " + rows[i].name
	}
	return rows
}

// packedAnswer is a message as the server sends it to a client that compresses.
func packedAnswer(text string) string {
	c := &conn{deflates: true, srv: New(Config{}, nil)}
	return string(c.AppendFrame(nil, []byte(text), false))
}

// TestRFC7692 holds the table against a server over sockets, all at once and a byte at a time.
func TestRFC7692(t *testing.T) {
	p := newPeer()
	p.onFrame = echoing{}.Frame
	f := start(t, p, Config{Compression: true}, &route.Entry{ID: "socket", Path: "/ws", WebSocket: true, MaxFrame: 4096})
	reasons := map[int]string{1002: session.CloseProtocol.Reason, 1007: session.CloseInvalidText.Reason, 1009: session.CloseTooLarge.Reason}
	for _, tt := range compressionRows(t) {
		in, want := tt.in, tt.out
		if tt.code == 0 {
			in += clientFrame(final|opClose, bye)
			want += served(final|opClose, bye)
		} else {
			want += string(new(conn).AppendClose(nil, tt.code, reasons[tt.code]))
		}
		for way, size := range map[string]int{"at once": len(in), "a byte at a time": 1} {
			t.Run(tt.name+"/"+way, func(t *testing.T) {
				c := f.raw(t)
				c.send(t, offering("permessage-deflate"))
				c.head(t)
				for at := 0; at < len(in); at += size {
					if _, err := io.WriteString(c, in[at:min(at+size, len(in))]); err != nil {
						break // the end came before the last byte
					}
				}
				got, err := io.ReadAll(c.r)
				if err != nil || string(got) != want {
					t.Errorf("sent %.200q\ngot  %.200q, %v\nwant %.200q", in, got, err, want)
				}
				_ = c.Close()
			})
		}
	}
}
