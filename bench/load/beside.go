//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What the connection beside the others does.
const (
	Reads  = "reads"  // all that it is sent
	Stalls = "stalls" // reads nothing, so that its socket is full and what it is sent waits in the server
)

// beside is a connection more than those that are measured. It asks for a lot before these begin, and is
// published to like them.
type beside struct {
	conn  net.Conn
	asked chan struct{} // closed once all that it asks for is written, which the server may not let it
	err   error         // what ended that before; once asked is closed
	ended sync.WaitGroup
}

const (
	besideFrame  = 16 << 10
	besideFrames = 256
	stallsFrames = 4096 // together more than sockets hold in both directions
)

// besideTime is how long the one that reads may take for what it asks for.
const besideTime = 20 * time.Second

// openBeside opens one that does so. What its sockets hold is little: data for one that stalls waits in the
// server soon.
func openBeside(s *Spec, kind string) (*beside, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 536),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 32<<10),
			)
		}), err)
	}}
	conn, err := d.DialContext(context.Background(), "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	b := &beside{conn: conn, asked: make(chan struct{})}
	if err := b.begin(s, kind); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("the connection beside the others: %w", err)
	}
	return b, nil
}

func (b *beside) begin(s *Spec, kind string) error {
	rest, err := upgrade(b.conn, s.Address, s.Path)
	if err != nil {
		return err
	}
	if s.Kind == Fanout {
		if _, err := b.conn.Write(subscriber{}.hello(0)); err != nil {
			return err
		}
		const answer = 3 // the frame of one byte
		if _, err := io.CopyN(io.Discard, b.conn, int64(answer-len(rest))); err != nil {
			return err
		}
	}
	frames := besideFrames
	if kind == Stalls {
		frames = stallsFrames
	}
	b.ended.Go(func() {
		defer close(b.asked)
		frame := newTemplate(appendFiller([]byte("beside "), besideFrame)).frame
		for range frames {
			if _, b.err = b.conn.Write(frame); b.err != nil {
				break
			}
		}
	})
	if kind == Stalls {
		return nil
	}
	b.ended.Go(func() { _, _ = io.Copy(io.Discard, b.conn) })
	select {
	case <-b.asked:
		return b.err
	case <-time.After(besideTime):
		return errors.New("what it asks for does not come")
	}
}

// stalled says whether the server has stopped to read the connection, and kept it: an error where it has not.
func (b *beside) stalled() (bool, error) {
	select {
	case <-b.asked:
		return false, b.err
	default:
		return true, nil
	}
}

func (b *beside) close() {
	_ = b.conn.Close()
	b.ended.Wait()
}
