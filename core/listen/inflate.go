package listen

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/protocol-bridge/bridge/core/session"
)

// deflateTail is what a sender leaves out at the end of a message (RFC 7692, 7.2.1), and behind it a
// last block, without which compress/flate would take the end for a cut.
const deflateTail = "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff"

const (
	// mostInflated bounds a message of a route that has no limit of its own.
	mostInflated = 64 << 20
	// mostStreams is how many blocks of a message may be marked as its last, as senders do at the end at
	// most: behind each the window is copied, which strangers could ask for with every two bytes.
	mostStreams = 16
)

var (
	errInflated = errors.New("message is too long")
	errPacked   = errors.New("message is not as its compression says")
)

// inflater decompresses; it holds a window of 32 KiB.
type inflater struct {
	in  bytes.Reader
	out io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	z := new(inflater)
	z.out = flate.NewReader(&z.in)
	return z
}}

func (z *inflater) free() {
	z.in.Reset(nil)
	inflaters.Put(z)
}

// next begins behind the last block that was a last one, of a message of which before came.
func (z *inflater) next(before []byte) {
	_ = z.out.(flate.Resetter).Reset(&z.in, before[max(0, len(before)-windowSize):]) // never fails
}

// deliverPacked hands on a message that came compressed.
func (c *conn) deliverPacked(packed *[]byte, isBinary bool) verdict {
	buf := messages.Get().(*[]byte)
	defer freeMessage(buf)
	err := c.inflate(buf, packed, isBinary)
	c.sess.Reading(0)
	switch {
	case errors.Is(err, errInflated):
		return c.refuse(session.CloseTooLarge)
	case err != nil:
		return c.refuse(session.CloseProtocol)
	}
	return c.deliver(*buf, isBinary)
}

// inflate puts into buf what packed holds, no more than the route takes, and appends to packed what the
// sender left out. What it allocates follows what came out, not what could.
func (c *conn) inflate(buf, packed *[]byte, isBinary bool) error {
	limit := inflatedSize(c.limit(isBinary))
	*packed = append(*packed, deflateTail...)
	z := inflaters.Get().(*inflater)
	defer z.free()
	z.in.Reset(*packed)
	b := (*buf)[:0]
	defer func() { *buf = b }()
	for range mostStreams {
		z.next(b)
		for ended := false; !ended; {
			if len(b) == cap(b) {
				b = append(b, 0)[:len(b)]
				c.sess.Reading(cap(*packed) + cap(b))
			}
			n, err := z.out.Read(b[len(b):min(int64(cap(b)), limit+1)])
			if b = b[:len(b)+n]; int64(len(b)) > limit {
				return errInflated
			}
			if ended = errors.Is(err, io.EOF); err != nil && !ended {
				return err
			}
		}
		switch left := z.in.Len(); {
		case left == 0 || left == len(deflateTail): // it may end with a last block of its own
			return nil
		case left < len(deflateTail):
			return errPacked
		}
	}
	return errPacked
}

// inflatedSize is how long a message may be once it is decompressed, where the route has that limit.
func inflatedSize(limit int64) int64 {
	if limit <= 0 {
		return mostInflated
	}
	return min(limit, math.MaxInt64/2)
}

// packedSize is how long the frames of a message may be together that is no longer than limit once it
// is decompressed: what cannot be compressed grows, by less than a quarter however it is done.
func packedSize(limit int64) int64 {
	const blocks = 64
	limit = inflatedSize(limit)
	return limit + limit/4 + blocks
}
