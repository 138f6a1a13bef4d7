package upstream

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/upstream"
)

// maxMirrorRequest is how much is mirrored with one request, unless one command alone is larger.
const maxMirrorRequest = 256 << 10

// mirror is the queue of what a Logux server is to get.
type mirror struct {
	pool    *serverPool
	max     int
	dropped prometheus.Counter // nil: nobody counts
	log     *slog.Logger

	mu       sync.Mutex // guards all below
	commands [][]byte
	size     int  // of all commands
	running  bool // someone sends
	lost     int  // not yet logged
	last     time.Time
}

// add queues a command, and sees to it that someone sends.
func (m *mirror) add(command []byte) {
	m.mu.Lock()
	why := ""
	switch {
	case m.size+len(command) > m.max:
		why = "the queue is full"
	case !m.running && !m.pool.calls.background(m.send):
		why = errClosed.Error()
	default:
		m.running = true
		m.commands = append(m.commands, command)
		m.size += len(command)
	}
	m.mu.Unlock()
	if why != "" {
		m.lose(1, why)
	}
}

// send sends until nothing waits.
func (m *mirror) send() {
	for {
		body, count := m.take()
		if count == 0 {
			return
		}
		if outcome, detail := m.pool.send(context.Background(), m.pool.codecs[0], body, &whole{}); outcome != upstream.OK {
			m.lose(count, detail)
		}
	}
}

// take returns what goes into one request, with commas; count is 0 when nothing waits.
func (m *mirror) take() (body []byte, count int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, command := range m.commands {
		if count > 0 {
			if len(body)+len(command) >= maxMirrorRequest {
				break
			}
			body = append(body, ',')
		}
		body = append(body, command...)
		m.size -= len(command)
		count++
	}
	clear(m.commands[:count])
	m.commands = m.commands[count:]
	m.running = count > 0
	return body, count
}

// lose counts messages that the server will not get, and logs how many there were since it did so
// last.
func (m *mirror) lose(count int, why string) {
	if m.dropped != nil {
		m.dropped.Add(float64(count))
	}
	now := time.Now()
	m.mu.Lock()
	m.lost += count
	lost := m.lost
	quietNow := now.Sub(m.last) < quiet
	if !quietNow {
		m.lost, m.last = 0, now
	}
	m.mu.Unlock()
	if !quietNow && !m.pool.health.over.Load() {
		m.log.Warn("mirrored messages dropped", "messages", lost, "err", why)
	}
}
