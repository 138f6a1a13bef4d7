//go:build linux

package load

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"
)

// sealedHolder is connections over TLS, each with a goroutine.
type sealedHolder struct {
	proto protocol
	conns []*sealedConn
	seq   uint32
	ends  chan error // why one ended
	wg    sync.WaitGroup
}

type sealedConn struct {
	*tls.Conn
	index   int
	rest    []byte     // came behind the answer to the handshake
	mu      sync.Mutex // guards writing
	answers chan []byte
}

// handshakes is how many shake hands at a time.
const handshakes = 4

func openSealed(s *Spec) (Holder, error) {
	h := &sealedHolder{proto: protocolOf(s), conns: make([]*sealedConn, s.Connections), ends: make(chan error, s.Connections)}
	errs := make(chan error, handshakes)
	for d := range handshakes {
		go func() {
			for i := d; i < len(h.conns); i += handshakes {
				c, err := dialSealed(s, i)
				if err != nil {
					errs <- err
					return
				}
				h.conns[i] = c
				h.wg.Go(func() { h.ends <- c.read() })
			}
			errs <- nil
		}()
	}
	var err error
	for range handshakes {
		if e := <-errs; e != nil {
			err = e
		}
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func dialSealed(s *Spec, index int) (*sealedConn, error) {
	plain, err := net.Dial("tcp", s.Address) //nolint:noctx // the machine's own
	if err != nil {
		return nil, err
	}
	c := &sealedConn{
		Conn:  tls.Client(plain, &tls.Config{InsecureSkipVerify: true}), //nolint:gosec // it was made for the measurement
		index: index, answers: make(chan []byte, 1),
	}
	if c.rest, err = upgrade(c, s.Address, s.Path); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (c *sealedConn) write(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Write(p)
	return err
}

// read answers pings and hands on all else.
func (c *sealedConn) read() error {
	b, buf := c.rest, make([]byte, 512)
	for {
		payload, rest, ok, err := cut(b)
		switch {
		case err != nil:
			return err
		case !ok:
			n, err := c.Read(buf)
			if err != nil {
				return err
			}
			b = append(b, buf[:n]...)
			continue
		case payload == nil:
			if err := c.write(pong); err != nil {
				return err
			}
		default:
			c.answers <- append([]byte(nil), payload...)
		}
		b = rest
	}
}

// Serve implements [Holder].
func (h *sealedHolder) Serve() error {
	select {
	case err := <-h.ends:
		return err
	case <-time.After(patience * time.Millisecond):
		return nil
	}
}

// Wake implements [Holder].
func (h *sealedHolder) Wake() (time.Duration, error) {
	h.seq++
	start := now()
	for _, c := range h.conns {
		if err := c.write(h.proto.request(nil, c.index, h.seq)); err != nil {
			return 0, err
		}
	}
	late := time.After(wakeLimit)
	for _, c := range h.conns {
		select {
		case payload := <-c.answers:
			if seq, ok := h.proto.answer(payload, c.index); !ok || seq != h.seq {
				return 0, fmt.Errorf("the server answers %q to request %d", payload, h.seq)
			}
		case err := <-h.ends:
			return 0, err
		case <-late:
			return 0, fmt.Errorf("connection %d was not answered", c.index)
		}
	}
	return time.Duration(now() - start), nil
}

// Close implements [Holder].
func (h *sealedHolder) Close() {
	for _, c := range h.conns {
		if c != nil {
			_ = c.NetConn().Close()
		}
	}
	h.wg.Wait()
}
