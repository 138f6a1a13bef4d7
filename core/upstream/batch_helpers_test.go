package upstream

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/upstream"
)

// batchBackend is a back-end of version 4 that hands a function the types and ids of a request's
// actions. The request that asks for "hold" is held until release is called, and counts for nothing
// else; so what is asked meanwhile waits.
type batchBackend struct {
	url     string
	held    chan struct{} // got one for each request that is held
	release func()

	mu   sync.Mutex
	seen [][]string // the types of each request
}

type command struct{ Type, ID string }

func newBatchBackend(tb testing.TB, answer func(w http.ResponseWriter, r *http.Request, commands []command)) *batchBackend {
	tb.Helper()
	hold := make(chan struct{})
	b := &batchBackend{held: make(chan struct{}, 10), release: sync.OnceFunc(func() { close(hold) })}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Commands []struct {
				Command string
				AuthID  string `json:"authId"`
				Action  struct{ Type string }
				Meta    struct{ ID string }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			tb.Error(err)
		}
		var commands []command
		var types []string
		for _, c := range body.Commands {
			if c.Command == "auth" {
				c.Action.Type, c.Meta.ID = "auth", c.AuthID
			}
			commands = append(commands, command{c.Action.Type, c.Meta.ID})
			types = append(types, c.Action.Type)
		}
		b.mu.Lock()
		b.seen = append(b.seen, types)
		b.mu.Unlock()
		if types[0] == "hold" {
			b.held <- struct{}{}
			<-hold
			commands = []command{{"ok", commands[0].ID}}
		}
		answer(w, r, commands)
	}))
	tb.Cleanup(s.Close)
	tb.Cleanup(b.release)
	b.url = s.URL
	return b
}

func (b *batchBackend) requests() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.seen)
}

// answerAll answers each command by its type.
func answerAll(w http.ResponseWriter, _ *http.Request, commands []command) {
	var list []string
	for _, c := range slices.Backward(commands) {
		list = append(list, answerTo(c))
	}
	_, _ = io.WriteString(w, "["+strings.Join(list, ",")+"]")
}

func answerTo(c command) string {
	name := map[string]string{"denied": "forbidden", "unknown": "unknownAction", "auth": "authenticated"}[c.Type]
	switch {
	case c.Type == "auth":
		return fmt.Sprintf(`{"answer":"authenticated","authId":%q}`, c.ID)
	case name != "":
		return fmt.Sprintf(`{"answer":%q,"id":%q}`, name, c.ID)
	case c.Type == "error":
		return fmt.Sprintf(`{"answer":"error","id":%q,"details":"stack"}`, c.ID)
	case c.Type == "all":
		return `{"answer":"error","details":"all of it"}`
	case c.Type == "missing":
		return "null"
	}
	return fmt.Sprintf(`{"answer":"approved","id":%q},{"answer":"action","id":%q,"action":{"type":"x","payload":{"type":%q}}},{"answer":"processed","id":%q}`,
		c.ID, c.ID, c.Type, c.ID)
}

// queue asks for types one behind the other while something else holds the only connection, and
// returns a function that waits for how they end.
func (b *batchBackend) queue(tb testing.TB, p Pool, types ...string) (wait func() []string) {
	tb.Helper()
	var wg sync.WaitGroup
	ends := make([]string, len(types))
	wg.Go(func() { ask(tb, p, typed("hold", 1000)) })
	<-b.held
	for i, typ := range types {
		wg.Go(func() {
			a := last(ask(tb, p, typed(typ, uint64(i))))
			ends[i] = a.Outcome.String()
			if a.Payload != nil {
				ends[i] += " " + string(a.Payload)
			}
		})
		waitFor(tb, p, i+1)
	}
	return func() []string {
		wg.Wait()
		return ends
	}
}

func waitFor(tb testing.TB, p Pool, waiting int) {
	tb.Helper()
	gate := p.(*loguxPool).gate //nolint:forcetypeassert // it is one
	poll(tb, "they wait", func() bool {
		gate.mu.Lock()
		defer gate.mu.Unlock()
		return gate.waiting.Len() == waiting
	})
}

func typed(typ string, number uint64) *upstream.Request {
	req := question()
	req.Type, req.Number = typ, number
	return req
}
