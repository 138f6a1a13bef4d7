//go:build linux

package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Question is what a story's client asks the back-end: numbered, so that both sides can be compared.
type Question struct {
	Session int `json:"s"`
	Number  int `json:"n"`
	DelayMS int `json:"delay"` // before the back-end answers
	// Silent wants no action in answer, only that the question was processed.
	Silent bool `json:"silent"`
}

// QuestionType is the type of the message that holds a Question.
const QuestionType = "story/ask"

// Secret is what a bridge and a Backend have in common.
const Secret = "the-stories-tell-no-secrets"

// Backend is a back-end that speaks version 4 of the Logux back-end protocol. It answers each
// question when the question says, and notes whatever it was asked.
type Backend struct {
	URL string

	mu      sync.Mutex // guards what follows
	asked   map[[2]int]int
	ids     map[string]int // of commands
	faults  []string
	dropped int // answers that nobody waited for
}

// StartBackend serves a back-end until the test ends.
func StartBackend(t testing.TB) *Backend {
	b := &Backend{asked: make(map[[2]int]int), ids: make(map[string]int)}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	b.URL = s.URL
	return b
}

// Upstream is the block of bridge.hcl that names this back-end upstream.logux.app. Connections are
// many, so that no question waits for another's answer, and are waited for on a busy machine.
func (b *Backend) Upstream() string {
	return fmt.Sprintf("upstream \"logux\" \"app\" {\n  url = %q\n  secret = %q\n  max_connections = 4096\n  connect_timeout = \"30s\"\n  timeout = \"30s\"\n}\n", b.URL, Secret)
}

// ServeHTTP answers a request of the protocol.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Version  int
		Secret   string
		Commands []struct {
			Command string
			Action  struct {
				Type    string
				Payload Question
			}
			Meta struct{ ID string }
		}
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if err != nil || body.Version != 4 || body.Secret != Secret || len(body.Commands) != 1 ||
		body.Commands[0].Command != "action" || body.Commands[0].Action.Type != QuestionType {
		b.fault(fmt.Sprintf("not a question: %+v, error %v", body, err))
		http.Error(w, "not a question", http.StatusBadRequest)
		return
	}
	id, q := body.Commands[0].Meta.ID, body.Commands[0].Action.Payload
	b.mu.Lock()
	b.asked[[2]int{q.Session, q.Number}]++
	b.ids[id]++
	b.mu.Unlock()
	if q.DelayMS > 0 {
		late := time.NewTimer(time.Duration(q.DelayMS) * time.Millisecond)
		defer late.Stop()
		select {
		case <-late.C:
		case <-r.Context().Done():
			b.mu.Lock()
			b.dropped++
			b.mu.Unlock()
			return
		}
	}
	quoted, err := json.Marshal(id)
	if err != nil {
		b.fault(err.Error())
	}
	answer := fmt.Sprintf(`{"answer":"approved","id":%s},`, quoted)
	if !q.Silent {
		answer += fmt.Sprintf(`{"answer":"action","id":%s,"action":{"type":"story/answer","payload":{"s":%d,"n":%d}}},`,
			quoted, q.Session, q.Number)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `[%s{"answer":"processed","id":%s}]`, answer, quoted)
}

func (b *Backend) fault(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, text)
}

// check says what is wrong with what was asked, where the sessions of a load asked so many questions
// each.
func (b *Backend) check(perSession []int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	faults := append([]string(nil), b.faults...)
	total := 0
	for s, n := range perSession {
		total += n
		for i := range n {
			if times := b.asked[[2]int{s, i}]; times != 1 {
				faults = append(faults, fmt.Sprintf("the back-end was asked question %d of session %d %d times", i, s, times))
			}
		}
	}
	if len(b.asked) != total {
		faults = append(faults, fmt.Sprintf("the back-end was asked %d different questions, want %d", len(b.asked), total))
	}
	for id, times := range b.ids {
		if times != 1 {
			faults = append(faults, fmt.Sprintf("the command id %q came %d times", id, times))
		}
	}
	if b.dropped > 0 {
		faults = append(faults, fmt.Sprintf("the back-end was hung up on %d times before it had answered", b.dropped))
	}
	return faults
}
