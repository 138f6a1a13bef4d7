package plugintest

import (
	"errors"
	"fmt"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

// tcp is a client of a listener of lines. That its bytes are cut in another way from now on is an entry
// of got, and its end has no code.
type tcp struct{ *client }

var _ session.Framer = tcp{}

// SetFraming implements session.Framer.
func (c tcp) SetFraming(raw bool, bytes uint64) {
	if raw {
		c.take(fmt.Sprintf("<f raw %d", bytes))
	} else {
		c.take("<f lines")
	}
}

// AppendClose implements session.Transport.
func (c tcp) AppendClose(dst []byte, _ int, _ string) []byte { return record(dst, kindClose, nil) }

// connectTCP opens a session over TCP.
func (w *world) connectTCP(name string) error {
	if w.clients[name] != nil {
		return fmt.Errorf("client %q is there already", name)
	}
	c := newClient(name, w.changed)
	c.tcp = true
	w.clients[name] = c
	at := w.info(name, "/")
	info := &session.Info{Route: at.Route, RemoteAddress: at.RemoteAddress, Local: at.Local, TCP: true}
	c.session = w.plugin.OpenSession(info, w.openingOf(name).who, tcp{c}, w.limits)
	close(c.ready)
	return nil
}

// settle waits, as the reader of a TCP client does before each frame, until all of its events before are
// handled and their calls answered.
func (w *world) settle(c *client) error {
	if !c.tcp {
		return nil
	}
	for late := time.Now().Add(patience); !c.session.Settled(); <-time.After(time.Millisecond) {
		if time.Now().After(late) {
			return errors.New("the client is not read: an event of it is not handled, or a call not answered")
		}
	}
	return nil
}

// endInput says that the client will send nothing more.
func (c *client) endInput() {
	c.did++
	c.session.Eof()
}
