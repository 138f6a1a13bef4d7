//go:build linux

package logux

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// Given the seed's streaming exchange with the back-end waiting for our 200 before `processed`, then the
// client gets the data and then that its subscription is processed, each within 100 ms, without deadlock,
// also with 1000 clients at once.
func TestLoguxStreams(t *testing.T) {
	const step = 100 * time.Millisecond
	backend := logux.StartBackend(t)
	b := loguxBridge(t, backend, "")
	control := "http://" + b.Address() + "/"
	data := func(user string) string {
		return logux.Action(fmt.Sprintf(`{"type":"user/name","user":%s,"name":"The User"}`, user), fmt.Sprintf(`{"clients":["%s:Y7bysd"]}`, user))
	}
	subscribed := func(user string) *logux.Client {
		c := logux.Dial(t, b.URL("/"), nil)
		c.Send(fmt.Sprintf(`["connect",4,"%s:Y7bysd:O0ETfc",0,{"token":"good"}]`, user))
		frameWith(t, c, `["connected",`)
		c.Send(fmt.Sprintf(`["sync",1,{"type":"logux/subscribe","channel":"%s/name"},{"id":1,"time":1}]`, user))
		frameWith(t, c, `["synced",1]`)
		return c
	}
	// next is the next frame, and how long after the beginning it came.
	next := func(c *logux.Client, began time.Time) (string, time.Duration) {
		frame, end := c.Next(harness.AnswerLimit)
		if frame == "" {
			t.Errorf("the connection: %q", end)
		}
		return frame, time.Since(began)
	}

	// A busy machine may be late once; Bridge must not be each time.
	backend.Play(map[string]logux.Script{"good": answers("authenticated")})
	inTime := false
	for try := 0; try < 20 && !inTime; try++ {
		user := fmt.Sprint(30 + try)
		c := subscribed(user)
		call := backend.Next()
		call.Answer("approved")
		began := time.Now()
		if reply := logux.Post(t, control, data(user)); reply != (logux.Reply{Status: http.StatusOK}) {
			t.Errorf("the control endpoint answers %+v", reply)
		}
		frame, first := next(c, began)
		if !strings.Contains(frame, fmt.Sprintf(`{"type":"user/name","user":%s,"name":"The User"}`, user)) {
			t.Errorf("got %s, want the data", frame)
		}
		began = time.Now()
		call.Answer("processed")
		frame, second := next(c, began)
		if !strings.Contains(frame, `"type":"logux/processed"`) {
			t.Errorf("got %s, want that it is processed", frame)
		}
		call.End()
		inTime = first <= step && second <= step
	}
	if !inTime {
		t.Errorf("the steps never took less than %v", step)
	}

	// Now all at once: no response goes on before each has begun.
	clients := harness.Size(1000, 100)
	var begun atomic.Int64
	all := make(chan struct{})
	var slowest atomic.Int64
	backend.Play(map[string]logux.Script{"good": answers("authenticated"), "logux/subscribe": func(c *logux.Call) {
		c.Answer("approved")
		if begun.Add(1) == int64(clients) {
			close(all)
		}
		<-all
		user := strings.Fields(c.Commands[0].ID)[1]
		user = user[:strings.IndexByte(user, ':')]
		began := time.Now()
		if reply := logux.Post(t, control, data(user)); reply.Status != http.StatusOK {
			t.Errorf("the control endpoint answers %+v", reply)
		}
		harness.Raise(&slowest, int64(time.Since(began)))
		c.Answer("processed")
	}})
	everybody := make([]*logux.Client, clients)
	for i := range everybody {
		everybody[i] = subscribed(fmt.Sprint(100 + i))
	}
	for i, c := range everybody {
		data, _ := next(c, time.Now())
		processed, _ := next(c, time.Now())
		if !strings.Contains(data, fmt.Sprintf(`"user":%d,`, 100+i)) || !strings.Contains(processed, `"type":"logux/processed"`) {
			t.Errorf("client %d got %s and then %s", i, data, processed)
		}
	}
	t.Logf("%d clients at once; the slowest answer of the control endpoint took %v", clients, time.Duration(slowest.Load()))
}
