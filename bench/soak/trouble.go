//go:build linux

package soak

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// kill ends the process of a plugin, of one that is not to live.
func (l *load) kill(n int) {
	name := []string{"ctproto", "lines"}[n%2]
	all, err := l.bridge.plugins()
	if err != nil {
		l.ledger.fault("%v", err)
		return
	}
	if pid := all[name].PID; pid != 0 && unix.Kill(pid, unix.SIGKILL) == nil {
		l.kills.Add(1)
	}
}

// reload changes bridge.hcl and has it read.
func (l *load) reload(int) {
	e := edits(int(l.reloads.Load()))
	if err := l.write(e); err != nil {
		l.ledger.fault("%v", err)
		return
	}
	if !e.extra {
		l.extra.Store(false)
	}
	l.reloads.Add(1)
	text, err := l.bridge.post("/api/reload", "{}")
	if (err != nil) != e.fault {
		l.ledger.fault("reload of %+v: %s, %v", e, text, err)
	}
	l.extra.Store(e.extra)
}

// operate does what operators do.
func (l *load) operate(n int) {
	var err error
	switch n % 4 {
	case 0:
		_, err = l.bridge.get("/api/sessions?limit=1000")
	case 1:
		_, err = l.bridge.get("/metrics")
	case 2:
		_, err = l.bridge.post("/api/sessions/close", `{"route":"/few"}`)
	case 3:
		_, err = l.bridge.get("/api/sessions?channel=news&limit=10")
	}
	if err != nil {
		l.ledger.fault("%v", err)
	}
}

// strangers are clients of bad will, a handful at a time.
func (l *load) strangers(n int) {
	const head = "GET /lines HTTP/1.1\r\nHost: x\r\n"
	const upgrade = head + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	var each func(c net.Conn)
	count := 20
	say := func(text string) func(net.Conn) { return func(c net.Conn) { _, _ = io.WriteString(c, text) } }
	switch n % 8 {
	case 0: // begins a head and is let go of, or leaves
		each = func(c net.Conn) {
			_, _ = io.WriteString(c, head+"X-Slow: ")
			l.pause(somewhere(0, 2*time.Second))
		}
	case 1:
		each = say(head + strings.Repeat("X: y\r\n", 10_000) + "\r\n")
	case 2:
		each = say(strings.Repeat("\x00\xff", 5000))
	case 3:
		each = say("POST /lines HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
	case 4: // sends pings and reads no pong
		pings := upgrade + strings.Repeat("\x89\xfd\x00\x00\x00\x00"+strings.Repeat("p", 125), 2000)
		each = say(pings)
	case 5: // a body that does not end
		each = say("POST /lines/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + strings.Repeat("x", 100_000))
	case 6: // a frame that breaks RFC 6455
		each = say(upgrade + "\xff\xff\xff\xff")
	case 7: // more at once than the route takes
		count = 100
		each = func(c net.Conn) {
			_, _ = io.WriteString(c, strings.Replace(upgrade, "/lines", "/few", 1))
			var answer [512]byte
			_ = c.SetReadDeadline(time.Now().Add(patience))
			k, err := c.Read(answer[:])
			if text := string(answer[:k]); err != nil || !strings.HasPrefix(text, "HTTP/1.1 101 ") && !strings.HasPrefix(text, "HTTP/1.1 503 ") {
				l.ledger.fault("a client of many is answered %q, %v", text, err)
			}
		}
	}
	var all sync.WaitGroup
	for range count {
		all.Go(func() {
			c, err := net.Dial("tcp", l.bridge.addresses["public"]) //nolint:noctx // on this machine, at once
			if err != nil {
				l.ledger.fault("%v", err)
				return
			}
			defer c.Close()
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			each(c)
			l.came.Add(1)
		})
	}
	all.Wait()
}

// stalled is a client that subscribes to a lot and reads none of it: it is closed.
func (l *load) stalled(n int) {
	err := func() error {
		channel := fmt.Sprintf("flood%d", n)
		c, err := l.dialLines("/lines")
		if err != nil {
			return err
		}
		defer c.vanish()
		if err := c.send("SUB " + channel); err != nil {
			return err
		}
		if err := c.expect("OK"); err != nil {
			return err
		}
		publisher, err := l.dialLines("/lines")
		if err != nil {
			return err
		}
		defer publisher.leave()
		chunk := strings.Repeat("x", 64<<10)
		const chunks = 160 // 10 MiB: more than sockets and an outbox hold
		for range chunks {
			if err := publisher.send("PUB " + channel + " " + chunk); err != nil {
				return err
			}
		}
		if err := publisher.echo(n); err != nil {
			return err
		}
		for err == nil {
			_, err = c.read()
		}
		if os.IsTimeout(err) {
			return fmt.Errorf("a client that does not read stays: %w", err)
		}
		return nil
	}()
	if err != nil {
		l.ledger.fault("a client that stalls: %v", err)
	}
	l.came.Add(2)
}
