package listen

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/session"
)

// conformance is a row of the table: what a client sends behind the handshake, and all that comes
// back until the end of the connection. Sessions echo their messages.
type conformance struct {
	section, name string
	in            string
	out           string // what comes before the close frame
	code          int    // of the close frame; 0: the client closes with 1000 and is answered
}

// The parts of rows.
const (
	wholeText, wholeBinary = final | opText, final | opBinary
	ping, pong             = final | opPing, final | opPong
	bye                    = "\x03\xe8"
)

// served is a frame as the server sends it.
func served(first byte, payload string) string {
	if first&opMask == opText || first&opMask == opBinary {
		return string(new(conn).AppendFrame(nil, []byte(payload), first == wholeBinary))
	}
	return string([]byte{first, byte(len(payload))}) + payload
}

// sized is a frame whose length is written in a way of the row's choice.
func sized(first byte, length, payload string) string {
	b := []byte(payload)
	key := [4]byte{9, 8, 7, 6}
	unmask(b, key)
	return string([]byte{first}) + length + string(key[:]) + string(b)
}

// keyed is a text under a mask of the row's choice.
func keyed(key [4]byte, payload string) string {
	b := []byte(payload)
	unmask(b, key)
	return string([]byte{wholeText, masked | byte(len(payload))}) + string(key[:]) + string(b)
}

// inParts is one message in fragments of a byte.
func inParts(first byte, payload string) string {
	var b strings.Builder
	for i := range len(payload) {
		op := byte(opMore)
		if i == 0 {
			op = first &^ final
		}
		b.WriteString(clientFrame(op, payload[i:i+1]))
	}
	return b.String() + clientFrame(final|opMore, "")
}

func conformanceRows() []conformance {
	rows := slices.Concat(framing(), masking(), fragmentation(), controls(), utf8Rows(), closing())
	for i := range rows {
		rows[i].name = fmt.Sprintf("%03d %s %s", i+1, rows[i].section, rows[i].name)
	}
	return rows
}

func framing() []conformance {
	const s = "5.2"
	rows := []conformance{
		{s, "a text", clientFrame(wholeText, "hello"), served(wholeText, "hello"), 0},
		{s, "a binary", clientFrame(wholeBinary, "\x00\xff"), served(wholeBinary, "\x00\xff"), 0},
		{s, "an empty text", clientFrame(wholeText, ""), served(wholeText, ""), 0},
		{s, "an empty binary", clientFrame(wholeBinary, ""), served(wholeBinary, ""), 0},
		{s, "two texts", clientFrame(wholeText, "a") + clientFrame(wholeText, "b"), served(wholeText, "a") + served(wholeText, "b"), 0},
		{s, "RSV1", clientFrame(wholeText|0x40, "x"), "", 1002},
		{s, "RSV2", clientFrame(wholeText|0x20, "x"), "", 1002},
		{s, "RSV3", clientFrame(wholeText|0x10, "x"), "", 1002},
		{s, "all reserved bits", clientFrame(wholeText|0x70, "x"), "", 1002},
		{s, "RSV1 of a ping", clientFrame(ping|0x40, "x"), "", 1002},
		{s, "RSV1 of a close", clientFrame(final|opClose|0x40, bye), "", 1002},
		{s, "RSV1 of a continuation", clientFrame(opText, "x") + clientFrame(final|0x40, "y"), "", 1002},
		{s, "a reserved bit behind a good frame", clientFrame(wholeText, "x") + clientFrame(wholeText|0x20, "y"), served(wholeText, "x"), 1002},
		{s, "an unmasked text", "\x81\x01x", "", 1002},
		{s, "an unmasked binary", "\x82\x01x", "", 1002},
		{s, "an unmasked ping", "\x89\x00", "", 1002},
		{s, "an unmasked close", "\x88\x02\x03\xe8", "", 1002},
		{s, "126 bytes' length for 125", sized(wholeText, "\xfe\x00\x7d", strings.Repeat("x", 125)), "", 1002},
		{s, "16 bits for nothing", sized(wholeText, "\xfe\x00\x00", ""), "", 1002},
		{s, "64 bits for nothing", sized(wholeText, "\xff\x00\x00\x00\x00\x00\x00\x00\x00", ""), "", 1002},
		{s, "64 bits for 126", sized(wholeText, "\xff\x00\x00\x00\x00\x00\x00\x00\x7e", strings.Repeat("x", 126)), "", 1002},
		{s, "64 bits for 65535", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", "", 1002},
		{s, "16 bits for 1 in a continuation", clientFrame(opText, "x") + sized(final, "\xfe\x00\x01", "y"), "", 1002},
		{s, "64 bits with the top bit", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01", "", 1002},
		{s, "64 bits, all of them", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", "", 1002},
		{s, "64 bits but the top one", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", "", 1009},
		{s, "a length above the limit", "\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01", "", 1009},
		{s, "a whole message above the limit", clientFrame(wholeBinary, strings.Repeat("x", 1<<20+1)), "", 1009},
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF} {
		rows = append(rows, conformance{s, fmt.Sprintf("reserved opcode %X", op), clientFrame(final|op, "x"), "", 1002})
	}
	for _, op := range []byte{3, 0xB} {
		rows = append(rows, conformance{s, fmt.Sprintf("reserved opcode %X in a message", op), clientFrame(opText, "x") + clientFrame(final|op, "x"), "", 1002})
	}
	for _, n := range []int{1, 124, 125, 126, 127, 128, 500, 505, 506, 512, 65535, 65536, 1 << 20} {
		long := strings.Repeat("y", n)
		rows = append(rows, conformance{s, fmt.Sprintf("a message of %d bytes", n), clientFrame(wholeText, long), served(wholeText, long), 0})
	}
	return rows
}

func masking() (rows []conformance) {
	for _, key := range []string{"\x00\x00\x00\x00", "\xff\xff\xff\xff", "\x00\x00\x07\x00", "hell"} {
		rows = append(rows, conformance{"5.3", fmt.Sprintf("a mask of %q", key), keyed([4]byte([]byte(key)), "hello, hello"), served(wholeText, "hello, hello"), 0})
	}
	var in, out string
	for n := range 20 { // every rest of eight
		in += keyed([4]byte{byte(n), 2, 3, byte(200 + n)}, strings.Repeat("z", n))
		out += served(wholeText, strings.Repeat("z", n))
	}
	return append(rows, conformance{"5.3", "a mask for every frame", in, out, 0})
}

func fragmentation() []conformance {
	const s = "5.4"
	thousand := strings.Repeat("t", 1000)
	return []conformance{
		{s, "two fragments", clientFrame(opText, "hel") + clientFrame(final, "lo"), served(wholeText, "hello"), 0},
		{s, "two fragments of a binary", clientFrame(opBinary, "\xff") + clientFrame(final, "\xfe"), served(wholeBinary, "\xff\xfe"), 0},
		{s, "three fragments", clientFrame(opText, "a") + clientFrame(0, "b") + clientFrame(final, "c"), served(wholeText, "abc"), 0},
		{s, "an empty first fragment", clientFrame(opText, "") + clientFrame(final, "a"), served(wholeText, "a"), 0},
		{s, "an empty middle fragment", clientFrame(opText, "a") + clientFrame(0, "") + clientFrame(final, "b"), served(wholeText, "ab"), 0},
		{s, "an empty last fragment", clientFrame(opText, "a") + clientFrame(final, ""), served(wholeText, "a"), 0},
		{s, "empty fragments alone", clientFrame(opText, "") + clientFrame(0, "") + clientFrame(final, ""), served(wholeText, ""), 0},
		{s, "a thousand fragments", inParts(opText, thousand), served(wholeText, thousand), 0},
		{s, "a thousand empty fragments", clientFrame(opText, "a") + strings.Repeat(clientFrame(0, ""), 1000) + clientFrame(final, "b"), served(wholeText, "ab"), 0},
		{
			s, "long fragments", clientFrame(opText, strings.Repeat("a", 70_000)) + clientFrame(final, strings.Repeat("b", 600)),
			served(wholeText, strings.Repeat("a", 70_000)+strings.Repeat("b", 600)), 0,
		},
		{s, "two messages in fragments", inParts(opText, "ab") + inParts(opBinary, "cd"), served(wholeText, "ab") + served(wholeBinary, "cd"), 0},
		{s, "a whole message behind one in fragments", inParts(opText, "ab") + clientFrame(wholeText, "c"), served(wholeText, "ab") + served(wholeText, "c"), 0},
		{s, "a ping between fragments", clientFrame(opText, "a") + clientFrame(ping, "p") + clientFrame(final, "b"), served(pong, "p") + served(wholeText, "ab"), 0},
		{
			s, "pings between all fragments", clientFrame(ping, "0") + clientFrame(opText, "a") + clientFrame(ping, "1") + clientFrame(0, "b") + clientFrame(ping, "2") + clientFrame(final, "c") + clientFrame(ping, "3"),
			served(pong, "0") + served(pong, "1") + served(pong, "2") + served(wholeText, "abc") + served(pong, "3"), 0,
		},
		{s, "a pong between fragments", clientFrame(opText, "a") + clientFrame(pong, "p") + clientFrame(final, "b"), served(wholeText, "ab"), 0},
		{s, "a close between fragments", clientFrame(opText, "a"), "", 0},
		{s, "a continuation of nothing", clientFrame(0, "a"), "", 1002},
		{s, "a last continuation of nothing", clientFrame(final, "a"), "", 1002},
		{s, "an empty continuation of nothing", clientFrame(final, ""), "", 1002},
		{s, "a continuation behind a whole message", clientFrame(wholeText, "a") + clientFrame(final, "b"), served(wholeText, "a"), 1002},
		{s, "a continuation behind the last", clientFrame(opText, "a") + clientFrame(final, "b") + clientFrame(final, "c"), served(wholeText, "ab"), 1002},
		{s, "a text in a message", clientFrame(opText, "a") + clientFrame(wholeText, "b"), "", 1002},
		{s, "a binary in a message", clientFrame(opText, "a") + clientFrame(wholeBinary, "b"), "", 1002},
		{s, "the beginning of a text in a message", clientFrame(opText, "a") + clientFrame(opText, "b"), "", 1002},
		{s, "fragments above the limit", clientFrame(opBinary, strings.Repeat("x", 1<<19)) + clientFrame(0, strings.Repeat("x", 1<<19)) + clientFrame(final, "x"), "", 1009},
		{s, "a fragment announced above the limit", clientFrame(opBinary, "x") + "\x00\xff\x00\x00\x00\x00\x00\x10\x00\x00", "", 1009},
	}
}

func controls() []conformance {
	most := strings.Repeat("p", 125)
	rows := []conformance{
		{"5.5", "a ping of 126 bytes", clientFrame(ping, most+"p"), "", 1002},
		{"5.5", "a pong of 126 bytes", clientFrame(pong, most+"p"), "", 1002},
		{"5.5", "a close of 126 bytes", clientFrame(final|opClose, bye+most[:124]), "", 1002},
		{"5.5", "a ping with a long length", "\x89\xff\x00\x00\x00\x00\x00\x01\x00\x00", "", 1002},
		{"5.5", "a ping in fragments", clientFrame(opPing, "a") + clientFrame(final, "b"), "", 1002},
		{"5.5", "a pong in fragments", clientFrame(opPong, "a") + clientFrame(final, "b"), "", 1002},
		{"5.5", "a close in fragments", clientFrame(opClose, bye), "", 1002},
		{"5.5", "a ping in fragments in a message", clientFrame(opText, "a") + clientFrame(opPing, "b"), "", 1002},
		{"5.5.2", "an empty ping", clientFrame(ping, ""), served(pong, ""), 0},
		{"5.5.2", "a ping", clientFrame(ping, "hello"), served(pong, "hello"), 0},
		{"5.5.2", "a ping of any bytes", clientFrame(ping, "\x00\xff\xfe\xfd"), served(pong, "\x00\xff\xfe\xfd"), 0},
		{"5.5.2", "a ping of 125 bytes", clientFrame(ping, most), served(pong, most), 0},
		{"5.5.2", "ten pings", strings.Repeat(clientFrame(ping, "p"), 10), strings.Repeat(served(pong, "p"), 10), 0},
		{"5.5.2", "a ping between messages", clientFrame(wholeText, "a") + clientFrame(ping, "p") + clientFrame(wholeText, "b"), served(wholeText, "a") + served(pong, "p") + served(wholeText, "b"), 0},
		{"5.5.3", "an empty pong nobody asked for", clientFrame(pong, ""), "", 0},
		{"5.5.3", "a pong nobody asked for", clientFrame(pong, most), "", 0},
		{"5.5.3", "a pong, then a ping", clientFrame(pong, "x") + clientFrame(ping, "y"), served(pong, "y"), 0},
		{"5.5.1", "an empty close", clientFrame(final|opClose, ""), served(final|opClose, ""), -1},
		{"5.5.1", "a close of one byte", clientFrame(final|opClose, "\x03"), "", 1002},
		{"5.5.1", "a close with a reason", clientFrame(final|opClose, bye+"Grüße"), served(final|opClose, bye), -1},
		{"5.5.1", "a close of 125 bytes", clientFrame(final|opClose, bye+most[:123]), served(final|opClose, bye), -1},
		{"5.5.1", "a text behind a close", clientFrame(final|opClose, bye) + clientFrame(wholeText, "late"), served(final|opClose, bye), -1},
		{"5.5.1", "a ping behind a close", clientFrame(final|opClose, bye) + clientFrame(ping, "late"), served(final|opClose, bye), -1},
		{"5.5.1", "a close behind a close", strings.Repeat(clientFrame(final|opClose, bye), 2), served(final|opClose, bye), -1},
		{"5.5.1", "a fault behind a close", clientFrame(final|opClose, bye) + "\xff\xff\xff\xff", served(final|opClose, bye), -1},
		{"5.5.1", "a message, then a close", clientFrame(wholeText, "a") + clientFrame(final|opClose, bye), served(wholeText, "a") + served(final|opClose, bye), -1},
	}
	return rows
}

func closing() (rows []conformance) {
	code := func(n int) string { return string([]byte{byte(n >> 8), byte(n)}) }
	for _, n := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		rows = append(rows, conformance{"7.4", fmt.Sprintf("close with %d", n), clientFrame(final|opClose, code(n)), served(final|opClose, code(n)), -1})
	}
	for _, n := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		rows = append(rows, conformance{"7.4", fmt.Sprintf("close with %d, which nobody sends", n), clientFrame(final|opClose, code(n)), "", 1002})
	}
	return append(rows,
		conformance{"7.1.6", "a reason that is not UTF-8", clientFrame(final|opClose, bye+"a\xff"), "", 1007},
		conformance{"7.1.6", "a reason that is cut", clientFrame(final|opClose, bye+"Gr\xc3"), "", 1007},
		conformance{"7.1.5", "frames in a close's place", clientFrame(wholeText, "last"), served(wholeText, "last"), 0},
	)
}

func utf8Rows() (rows []conformance) {
	const s = "8.1"
	const good = "κόσμε €𝄞\U0010ffff\u0000"
	rows = append(rows,
		conformance{s, "characters of all lengths", clientFrame(wholeText, good), served(wholeText, good), 0},
		conformance{s, "a fragment a byte", inParts(opText, good), served(wholeText, good), 0},
		conformance{s, "a byte order mark", clientFrame(wholeText, "\ufeffx"), served(wholeText, "\ufeffx"), 0},
		conformance{s, "no characters", clientFrame(wholeText, "\ufffe\uffff"), served(wholeText, "\ufffe\uffff"), 0},
		conformance{s, "any bytes in a binary", clientFrame(wholeBinary, "\xc3\x28\xff"), served(wholeBinary, "\xc3\x28\xff"), 0},
	)
	const split = "€𝄞é"
	for i := range len(split) + 1 {
		rows = append(rows, conformance{
			s, fmt.Sprintf("split at byte %d", i),
			clientFrame(opText, split[:i]) + clientFrame(ping, "") + clientFrame(final, split[i:]), served(pong, "") + served(wholeText, split), 0,
		})
	}
	for _, bad := range []struct{ name, text string }{
		{"a lone continuation byte", "a\x80b"},
		{"bytes that are never used", "a\xfe"},
		{"0xff", "\xff"},
		{"an overlong slash in two", "\xc0\xaf"},
		{"an overlong slash in three", "\xe0\x80\xaf"},
		{"an overlong slash in four", "\xf0\x80\x80\xaf"},
		{"an overlong NUL", "\xc0\x80"},
		{"the largest overlong of two", "\xc1\xbf"},
		{"the largest overlong of three", "\xe0\x9f\xbf"},
		{"the largest overlong of four", "\xf0\x8f\xbf\xbf"},
		{"the first surrogate", "\xed\xa0\x80"},
		{"the last surrogate", "\xed\xbf\xbf"},
		{"a pair of surrogates", "\xed\xa0\x80\xed\xb0\x80"},
		{"beyond the last character", "\xf4\x90\x80\x80"},
		{"five bytes", "\xf8\x88\x80\x80\x80"},
		{"six bytes", "\xfc\x84\x80\x80\x80\x80"},
		{"cut after one of two", "a\xc3"},
		{"cut after one of three", "a\xe2"},
		{"cut after two of three", "a\xe2\x82"},
		{"cut after three of four", "a\xf0\x9d\x84"},
		{"a wrong second byte", "\xc3\x28"},
		{"a wrong third byte", "\xe2\x82\x28"},
		{"bad behind 600 good bytes", strings.Repeat("a", 600) + "\xff"},
	} {
		rows = append(rows, conformance{s, bad.name, clientFrame(wholeText, bad.text), "", 1007})
	}
	return append(rows,
		conformance{s, "bad over fragments", clientFrame(opText, "Gr\xc3") + clientFrame(final, "u"), "", 1007},
		conformance{s, "bad in the first fragment", clientFrame(opText, "\xff") + clientFrame(final, "u"), "", 1007},
		conformance{s, "cut at the end of fragments", clientFrame(opText, "Gr") + clientFrame(final, "\xc3"), "", 1007},
		conformance{s, "surrogates over fragments", clientFrame(opText, "\xed\xa0") + clientFrame(final, "\x80"), "", 1007},
	)
}

// TestRFC6455 holds the table against a server over sockets: all at once, a byte at a time, and
// together with the handshake.
func TestRFC6455(t *testing.T) {
	rows := conformanceRows()
	if len(rows) < 120 {
		t.Errorf("%d rows", len(rows))
	}
	p := newPeer()
	p.onFrame = echoing{}.Frame
	f := start(t, p, Config{})
	reasons := map[int]string{1002: session.CloseProtocol.Reason, 1007: session.CloseInvalidText.Reason, 1009: session.CloseTooLarge.Reason}
	for _, tt := range rows {
		in, want := tt.in, tt.out
		switch tt.code {
		case 0:
			in += clientFrame(final|opClose, bye)
			want += served(final|opClose, bye)
		case -1:
		default:
			want += string(new(conn).AppendClose(nil, tt.code, reasons[tt.code]))
		}
		for _, way := range []string{"at once", "a byte at a time", "with the handshake"} {
			t.Run(tt.name+"/"+way, func(t *testing.T) {
				var c *raw
				switch {
				case way == "with the handshake":
					c = f.rawSocket(t, in)
				case way == "a byte at a time" && len(in) <= 10_000:
					c = f.rawSocket(t, "")
					for i := range len(in) {
						if _, err := io.WriteString(c, in[i:i+1]); err != nil {
							break // the end came before the last byte
						}
					}
				default:
					c = f.rawSocket(t, "")
					c.send(t, in)
				}
				got, err := io.ReadAll(c.r)
				if err != nil && tt.code >= 0 || string(got) != want { // a client that goes on behind its close is reset
					t.Errorf("sent %.200q\ngot  %.200q, %v\nwant %.200q", in, got, err, want)
				}
				_ = c.Close()
			})
		}
	}
}
