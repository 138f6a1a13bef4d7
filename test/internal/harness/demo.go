//go:build linux

package harness

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Demo is a back-end in the Logux back-end protocol, in the form of version 4, with the rules that the
// protocol's own conformance suite asks for: users rename themselves, and see the names of others on
// channels. It flushes each answer.
type Demo struct {
	URL string

	mu    sync.Mutex // guards what follows
	names map[string]demoName
	log   []string // bodies of requests
}

type demoName struct {
	name string
	meta demoMeta
}

type demoMeta struct {
	ID   string  `json:"id"`
	Time float64 `json:"time"`
}

// older is the protocol's order of metas; a missing one is older than any.
func (m demoMeta) older(than demoMeta) bool {
	if m.ID == "" {
		return true
	}
	a, b := strings.Split(m.ID, " "), strings.Split(than.ID, " ")
	number := func(text string) float64 { f, _ := strconv.ParseFloat(text, 64); return f }
	return cmp.Or(cmp.Compare(m.Time, than.Time), cmp.Compare(a[1], b[1]),
		cmp.Compare(number(a[2]), number(b[2])), cmp.Compare(number(a[0]), number(b[0]))) < 0
}

// StartDemo serves the back-end until the test ends.
func StartDemo(t testing.TB) *Demo {
	d := &Demo{names: make(map[string]demoName)}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	d.URL = s.URL + "/logux"
	return d
}

// Requests are the bodies that it was asked with.
func (d *Demo) Requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.log...)
}

type demoCommand struct {
	Command     string
	AuthID      string
	UserID      string
	Token       string
	Subprotocol string
	Cookie      map[string]string
	Headers     map[string]string
	Action      struct {
		Type    string
		Channel string
		Payload struct{ Name, UserID string }
	}
	Meta demoMeta
}

// ServeHTTP answers a request of the protocol.
func (d *Demo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body) // what is cut off is no JSON
	var body struct {
		Version  int
		Secret   string
		Commands []demoCommand
	}
	err := json.Unmarshal(text, &body)
	if err != nil || r.URL.Path != "/logux" || body.Version != 4 || body.Secret != Secret {
		http.Error(w, fmt.Sprintf("%s: %v", text, err), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	d.log = append(d.log, string(text))
	d.mu.Unlock()
	_, _ = io.WriteString(w, "[")
	first := true
	for i := range body.Commands {
		c := &body.Commands[i]
		d.answer(c, func(name, more string) {
			if !first {
				_, _ = io.WriteString(w, ",")
			}
			first = false
			id, _ := json.Marshal(cmp.Or(c.AuthID, c.Meta.ID))
			key := "id"
			if c.Command == "auth" {
				key = "authId"
			}
			fmt.Fprintf(w, `{"answer":%q,%q:%s%s}`, name, key, id, more)
			_ = http.NewResponseController(w).Flush()
		})
	}
	_, _ = io.WriteString(w, "]")
}

func (d *Demo) answer(c *demoCommand, say func(name, more string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if text := c.Headers["error"]; text != "" {
		say("error", fmt.Sprintf(`,"details":%q`, text))
		return
	}
	if c.Command == "auth" {
		switch {
		case c.Subprotocol != "" && !strings.HasPrefix(c.Subprotocol, "1.") && c.Subprotocol != "0.0.0":
			say("wrongSubprotocol", `,"supported":"^1.0.0"`)
		case cmp.Or(c.Token, c.Cookie["token"]) != c.UserID+":good":
			say("denied", "")
		default:
			say("authenticated", `,"subprotocol":"1.0.0"`)
		}
		return
	}
	d.act(c, say)
}

func (d *Demo) act(c *demoCommand, say func(name, more string)) {
	node := strings.Split(c.Meta.ID, " ")[1]
	user, rest, _ := strings.Cut(node, ":")
	client, _, _ := strings.Cut(rest, ":")
	named := func(user, name, meta string) string {
		return fmt.Sprintf(`,"action":{"payload":{"name":%q,"userId":%q},"type":"users/name"},"meta":{%s}`, name, user, meta)
	}
	a := &c.Action
	switch a.Type {
	case "logux/subscribe":
		owner, ok := strings.CutPrefix(a.Channel, "users/")
		switch {
		case !ok:
			say("unknownChannel", "")
		case owner != user:
			say("forbidden", "")
		default:
			say("approved", "")
			if known, ok := d.names[user]; ok {
				say("action", named(user, known.name, fmt.Sprintf(`"clients":["%s:%s"],"time":%v`, user, client, known.meta.Time)))
			}
			say("processed", "")
		}
	case "users/name":
		owner := a.Payload.UserID
		if owner != user {
			say("forbidden", "")
			return
		}
		say("resend", fmt.Sprintf(`,"channels":["users/%s"]`, owner))
		say("approved", "")
		if d.names[owner].meta.older(c.Meta) {
			d.names[owner] = demoName{a.Payload.Name, c.Meta}
		}
		say("processed", "")
	case "users/clean":
		say("approved", "")
		for owner := range d.names {
			say("action", named(owner, "", fmt.Sprintf(`"channel":"users/%s"`, owner)))
		}
		clear(d.names)
		say("processed", "")
	case "error":
		say("error", `,"details":"as it was asked to"`)
	default:
		say("unknownAction", "")
	}
}
