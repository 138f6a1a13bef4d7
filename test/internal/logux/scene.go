//go:build linux

package logux

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Stage is where a scene is played: a server and the back-end that it asks.
type Stage struct {
	WS      string // URL of the server's WebSocket
	Control string // URL of its control endpoint
	Backend *Backend
	// Patience is how long to wait where it may be that nothing comes.
	Patience time.Duration
}

// Scene is a script that is played to a server, and its transcript: what the script did, and what came
// of it. The lines do not depend on the run, so that those of two servers can be compared.
type Scene struct {
	T testing.TB
	Stage

	lines    []string
	named    *labels
	disguise disguise
	roles    []*Role // in the order of their names' first lines
}

// NewScene begins one. What the back-end answers is in scripts, by the token of an authentication and
// the type of an action; the token "good" lets in.
func NewScene(t testing.TB, stage Stage, scripts map[string]Script) *Scene {
	all := map[string]Script{"good": func(c *Call) { c.Answer("authenticated", `"subprotocol":"1.2.0"`) }}
	maps.Copy(all, scripts)
	d := newDisguise()
	stage.Backend.play(all, d)
	return &Scene{T: t, Stage: stage, named: newLabels(), disguise: d}
}

// Note adds a line to the transcript.
func (s *Scene) Note(format string, args ...any) {
	s.lines = append(s.lines, s.named.text(fmt.Sprintf(format, args...)))
}

// Role is a client in a scene.
type Role struct {
	s    *Scene
	name string
	node string
	c    *Client
	over bool
}

// Dial opens a connection, whose lines begin with the name: with a prime for each that had it before.
func (s *Scene) Dial(name string, header http.Header) *Role {
	s.T.Helper()
	for slices.ContainsFunc(s.roles, func(r *Role) bool { return r.name == name }) {
		name += "'"
	}
	r := &Role{s: s, name: name, c: Dial(s.T, s.WS, header)}
	s.roles = append(s.roles, r)
	return r
}

// Enter dials and connects with the token "good".
func (s *Scene) Enter(name, node string) *Role {
	s.T.Helper()
	r := s.Dial(name, nil)
	r.Connect(4, node, 0, `{"token":"good"}`)
	return r
}

func (r *Role) note(sign, text string) {
	r.s.lines = append(r.s.lines, r.name+sign+strings.ReplaceAll(text, "\n", "⏎"))
}

// Send sends a frame.
func (r *Role) Send(frame string) {
	r.s.T.Helper()
	r.note("> ", frame)
	r.c.Send(r.s.disguise.on(frame))
}

// SendBinary sends it as a binary frame.
func (r *Role) SendBinary(frame string) {
	r.s.T.Helper()
	r.note("> binary ", frame)
	r.c.SendBinary(r.s.disguise.on(frame))
}

// Connect sends a connect and reads what comes of it. The options may be none.
func (r *Role) Connect(protocol int, node string, synced int, options string) {
	r.s.T.Helper()
	r.Knock(protocol, node, synced, options)
	r.Until(func(frame string) bool { return strings.HasPrefix(frame, `["connected"`) })
}

// Knock sends a connect.
func (r *Role) Knock(protocol int, node string, synced int, options string) {
	r.s.T.Helper()
	r.node = node
	frame := fmt.Sprintf(`["connect",%d,%s,%d]`, protocol, quote(node), synced)
	if options != "" {
		frame = fmt.Sprintf("%s,%s]", strings.TrimSuffix(frame, "]"), options)
	}
	r.Send(frame)
}

// Sync sends actions, each with the id of this node that is so many milliseconds from the base; added
// is the last of them.
func (r *Role) Sync(added int, actions ...string) {
	r.s.T.Helper()
	var frame strings.Builder
	fmt.Fprintf(&frame, `["sync",%d`, added)
	for i, action := range actions {
		shift := added - len(actions) + 1 + i
		r.Own(float64(shift), 0)
		fmt.Fprintf(&frame, `,%s,{"id":%d,"time":%d}`, action, shift, shift)
	}
	r.Send(frame.String() + "]")
}

// Again sends an action that another connection of the client has sent.
func (r *Role) Again(of *Role, shift int, action string) {
	r.s.T.Helper()
	bases := r.s.named.bases
	shift += int(bases[of.name] - bases[r.name])
	frame := fmt.Sprintf(`["sync",1,%s,{"id":%d,"time":%d}]`, action, shift, shift)
	r.note("> ", fmt.Sprintf("again %s", action))
	r.c.Send(r.s.disguise.on(frame))
}

// Own says that an id of this node is used.
func (r *Role) Own(shift float64, counter int) { r.Of(shift, r.node, counter) }

// Of says that an id of a node is used.
func (r *Role) Of(shift float64, node string, counter int) {
	r.s.named.sent(r.name, shift, node, counter)
}

// ID is the whole id of an action of this node.
func (r *Role) ID(shift int) string {
	return wholeID(float64(r.s.named.bases[r.name]+int64(shift)), r.node, 0)
}

// Until reads until a frame, which may be any of those that hold, or until the connection ends.
func (r *Role) Until(holds func(frame string) bool) {
	r.s.T.Helper()
	if !r.within(harness.AnswerLimit, holds) {
		r.s.T.Errorf("%s: nothing more came. The scene so far:\n%s", r.name, strings.Join(r.s.lines, "\n"))
	}
}

// Perhaps is Until where it may be that nothing comes.
func (r *Role) Perhaps(holds func(frame string) bool) bool { return r.within(r.s.Patience, holds) }

func (r *Role) within(limit time.Duration, holds func(frame string) bool) bool {
	deadline := time.Now().Add(limit)
	for !r.over {
		frame, end := r.c.Next(time.Until(deadline))
		frame = r.s.disguise.off(frame)
		switch {
		case frame != "":
			for _, line := range r.s.named.frame(r.name, frame) {
				r.note("< ", line)
			}
			if holds(frame) {
				return true
			}
		case end != "":
			r.over = true
			r.note(" ", end)
		default:
			r.note(" ", "nothing comes")
			return false
		}
	}
	return true
}

// Frames reads so many frames.
func (r *Role) Frames(n int) {
	r.s.T.Helper()
	r.Until(func(string) bool { n--; return n <= 0 })
}

// Has reads until a frame that contains the text.
func (r *Role) Has(text string) {
	r.s.T.Helper()
	r.Until(func(frame string) bool { return strings.Contains(frame, text) })
}

// Outcomes reads until it was said what became of so many actions.
func (r *Role) Outcomes(n int) {
	r.s.T.Helper()
	r.Until(outcomes(n))
}

// PerhapsOutcomes is Outcomes where it may be that nothing comes.
func (r *Role) PerhapsOutcomes(n int) bool { return r.Perhaps(outcomes(n)) }

// outcomes tells the frame with which so many outcomes have come.
func outcomes(n int) func(frame string) bool {
	return func(frame string) bool {
		n -= strings.Count(frame, `"type":"logux/processed"`) + strings.Count(frame, `"type":"logux/undo"`)
		return n <= 0
	}
}

// Ended reads until the connection ends.
func (r *Role) Ended() {
	r.s.T.Helper()
	r.Until(func(string) bool { return false })
}

// Leave ends the connection, if it has not ended.
func (r *Role) Leave() {
	if r.over {
		return
	}
	r.note(" ", "leaves")
	r.over = true
	r.c.Cut()
}

// settle reads what has already come: a pong comes behind it.
func (r *Role) settle() {
	if r.over {
		return
	}
	r.c.ping()
	var kept int
	r.Until(func(frame string) bool {
		var pong []json.RawMessage
		if json.Unmarshal([]byte(frame), &pong) == nil && string(pong[0]) == `"pong"` {
			kept = len(r.s.lines) - 1
			return true
		}
		return false
	})
	if !r.over {
		r.s.lines = r.s.lines[:kept] // the pong is none of the scene's
	}
}

// Control sends commands to the control endpoint, and notes the answer.
func (s *Scene) Control(commands ...string) {
	s.T.Helper()
	reply := Do(s.T, http.MethodPost, s.Stage.Control, s.disguise.on(Envelope(4, commands...)))
	s.Note("control %s: %d %q", strings.Join(commands, " "), reply.Status, reply.Body)
}

// Request sends a request to a path of the server, and notes the answer.
func (s *Scene) Request(method, path, body string) {
	s.T.Helper()
	reply := Do(s.T, method, strings.TrimSuffix(s.Stage.Control, "/")+path, s.disguise.on(body))
	s.Note("%s %s %s: %d %q", method, path, strings.ReplaceAll(body, Secret, "SECRET"), reply.Status, reply.Body)
}

// End reads what has come for those who are still there, and returns the transcript.
func (s *Scene) End() []string {
	s.T.Helper()
	for _, r := range s.roles {
		r.settle()
		r.c.Cut()
	}
	s.Backend.None()
	asked := s.Backend.Asked()
	slices.SortStableFunc(asked, func(a, b Command) int { return strings.Compare(by(&a), by(&b)) })
	for i := range asked {
		asked[i].undisguise(s.disguise)
		s.lines = append(s.lines, "@ "+s.named.command(&asked[i]))
	}
	return s.lines
}

// by is the client that a command is from: what those of several come in is chance.
func by(c *Command) string {
	if c.Name == "action" {
		if parts := strings.Split(c.ID, " "); len(parts) == 3 {
			return strings.SplitN(parts[1], ":", 2)[0]
		}
	}
	if c.UserID == nil {
		return ""
	}
	return *c.UserID
}
