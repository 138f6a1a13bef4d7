//go:build linux

package logux

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// bot is a client that reads by itself: it confirms what it is sent, and notes what became of its actions.
type bot struct {
	*loguxClient

	mu       sync.Mutex          // guards what follows, and writes
	outcomes map[string][]string // of actions that were sent, by their ids
	open     int                 // of them that have none
	pongs    int
	end      error // of the connection

	changed chan struct{} // has something in it after a change
	read    chan struct{} // closed when nothing more comes
}

// startBot connects a client and has it read until the test ends.
func startBot(b *harness.Bridge, node string) (*bot, error) {
	c, err := dialLogux(b, node)
	if err != nil {
		return nil, err
	}
	bt := &bot{loguxClient: c, outcomes: make(map[string][]string), changed: make(chan struct{}, 1), read: make(chan struct{})}
	go bt.receive()
	return bt, nil
}

// startBots connects so many, some at a time; node is each one's.
func startBots(t *testing.T, b *harness.Bridge, n int, node func(i int) string) []*bot {
	t.Helper()
	const atATime = 50
	bots := make([]*bot, n)
	limit := make(chan struct{}, atATime)
	var all sync.WaitGroup
	for i := range bots {
		all.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			var err error
			if bots[i], err = startBot(b, node(i)); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	all.Wait()
	t.Cleanup(func() {
		for _, bt := range bots {
			if bt != nil {
				bt.cut()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return bots
}

// cut ends the connection as a network does.
func (b *bot) cut() {
	_ = b.ws.NetConn().Close()
	<-b.read
}

func (b *bot) receive() {
	defer close(b.read)
	for {
		_, data, err := b.ws.ReadMessage()
		if err == nil {
			err = b.take(data)
		}
		b.mu.Lock()
		b.end = err
		b.mu.Unlock()
		select {
		case b.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (b *bot) take(data []byte) error {
	var frame []json.RawMessage
	if err := json.Unmarshal(data, &frame); err != nil || len(frame) < 2 {
		return fmt.Errorf("got %s: %w", data, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch string(frame[0]) {
	case `"sync"`:
		for i := 2; i+1 < len(frame); i += 2 {
			var action struct{ Type, ID, Reason string }
			if err := json.Unmarshal(frame[i], &action); err != nil {
				return err
			}
			outcome, ok := strings.CutPrefix(action.Type, "logux/")
			if !ok {
				continue
			}
			if len(b.outcomes[action.ID]) == 0 {
				b.open--
			}
			b.outcomes[action.ID] = append(b.outcomes[action.ID], strings.TrimSpace(outcome+" "+action.Reason))
		}
		return harness.Send(b.ws, fmt.Sprintf(`["synced",%s]`, frame[1]))
	case `"pong"`:
		b.pongs++
	case `"error"`:
		return fmt.Errorf("got %s", data)
	}
	return nil
}

// do sends an action, whatever becomes of it.
func (b *bot) do(action string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.added++
	id := fmt.Sprintf("%d %s 0", b.base+int64(b.added), b.node)
	b.outcomes[id] = nil
	b.open++
	return harness.Send(b.ws, fmt.Sprintf(`["sync",%d,%s,{"id":%[1]d,"time":%[1]d}]`, b.added, action))
}

// until waits until something holds; false: the connection ended before, or nothing more came.
func (b *bot) until(holds func() bool) bool {
	return harness.Eventually(harness.AnswerLimit, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.end != nil || holds()
	}) && b.ended() == nil
}

func (b *bot) ended() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.end
}

// settle waits until all actions have an outcome, and then for what was sent behind the last of them.
func (b *bot) settle() error {
	if !b.until(func() bool { return b.open == 0 }) {
		return fmt.Errorf("not every action has an outcome; the connection: %w", b.ended())
	}
	b.mu.Lock()
	pongs := b.pongs
	err := harness.Send(b.ws, `["ping",0]`)
	b.mu.Unlock()
	if err != nil {
		return err
	}
	if !b.until(func() bool { return b.pongs > pongs }) {
		return fmt.Errorf("a ping is not answered; the connection: %w", b.ended())
	}
	return nil
}
