package listen

import (
	"bytes"
	"slices"
	"strconv"
	"testing"

	"github.com/protocol-bridge/bridge/core/route"
)

// rawAfter is how many raw bytes a line asks for, in these tests: "R5" for five, "R0" for all that
// come.
func rawAfter(line []byte) (n uint64, ok bool) {
	digits, ok := bytes.CutPrefix(line, []byte{'R'})
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(string(digits), 10, 16)
	return n, err == nil
}

// cutWhole is what the words say of bytes that are there at once: lines, and raw bytes in one piece
// behind a line that asks for them.
func cutWhole(data []byte) (frames []string) {
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		line, data = bytes.TrimSuffix(line, []byte{'\r'}), rest
		frames = append(frames, string(line))
		if n, ok := rawAfter(line); ok {
			if n == 0 {
				n = uint64(len(data))
			}
			taken := data[:min(n, uint64(len(data)))]
			data = data[len(taken):]
			if len(taken) > 0 {
				frames = append(frames, "raw "+string(taken))
			}
		}
	}
	return frames
}

// cutInPieces is what a connection makes of them as they come in pieces of so many bytes.
func cutInPieces(data []byte, size int) (frames []string) {
	c := &lineConn{conn: conn{entry: &route.Entry{}}}
	joins := false // what comes belongs to the raw bytes before
	take := func() {
		for {
			frame, used, isRaw := c.cut()
			if used == 0 {
				return
			}
			switch {
			case isRaw && joins:
				frames[len(frames)-1] += string(frame)
			case isRaw:
				frames = append(frames, "raw "+string(frame))
			default:
				frames = append(frames, string(frame))
			}
			joins = isRaw
			n, asks := rawAfter(frame)
			c.in.drop(used)
			if asks && !isRaw {
				c.SetFraming(true, n)
			}
		}
	}
	for len(data) > 0 {
		c.mu.Lock()
		isRaw := c.raw
		c.mu.Unlock()
		n := copy(c.in.room(isRaw), data[:min(size, len(data))])
		c.in.w += n
		data = data[n:]
		take()
	}
	c.eof = true
	take()
	return frames
}

func FuzzCut(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"), 1)
	f.Add([]byte("R3\n\n\n\nR0\nabc\ndef"), 2)
	f.Add([]byte("R600\n"+string(make([]byte, 1300))+"\nx\n"), 100)
	f.Add([]byte("\r\n\r\r\nR\n"), 3)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		want := cutWhole(data)
		for _, n := range []int{max(size, 1), 1, len(data) + 1} {
			if got := cutInPieces(data, n); !slices.Equal(got, want) {
				t.Fatalf("%q by %d bytes: got %q, want %q", data, n, got, want)
			}
		}
	})
}
