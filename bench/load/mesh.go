//go:build linux

package load

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// MeshChannel is the channel of a [MeshFanout], on which end users are from the start.
const MeshChannel = "bench"

// meshSocket is the path of the WebSockets of back-ends, meshTopic where frames of end users go.
const (
	meshSocket = "/ws/v1"
	meshTopic  = "bench"
)

// api is where back-ends connect to.
func (s *Spec) api() *Spec {
	api := *s
	api.Path, api.Address = meshSocket, cmp.Or(s.From, s.Address)
	return &api
}

// Requests and answers. Both have the number of the request, in what is sent and as its id; over HTTP there is
// no id.
const (
	meshData     = "%08x 00000000 "
	meshRequest  = `{"m":"mesh.send","p":{"c":%q,"d":%q},"i":"00000000"}`
	meshAnswer   = `{"E":null,"r":{"s":true},"i":"`
	meshBody     = `{"c":%q,"d":%q}`
	meshHead     = "POST /v1/mesh/send HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
	meshAnswered = `{"E":null,"r":{"s":true}}`
)

// meshSend is back-ends that send to single end users. A request is done when it is answered; that the end user
// has it as well, once, is what lost and doubled are about.
type meshSend struct {
	http  bool
	size  int
	users int           // the first connections
	first int           // index of the first connection of a back-end that asks
	texts [][]numbered  // by the connection that asks, and by end user
	due   [][ring]int64 // by the connection that asks, what end users do not have yet: number + 1
	heads []uint32      // over HTTP, by the connection that asks: the next answer

	missing       int // at end users
	lost, doubled uint64
}

// numbered is a text with a number in some places.
type numbered struct {
	template
	at []int
}

func (n *numbered) append(dst []byte, seq uint32) []byte { return n.template.append(dst, seq, n.at...) }

// runMeshSend has the connections of a loop be end users, and opens those of back-ends.
func runMeshSend(s *Spec, l *loop) (*Result, error) {
	m := &meshSend{http: s.Kind == MeshHTTP, size: s.Size, users: len(l.conns), first: len(l.conns) + 1}
	if err := l.dial(s.api(), 1); err != nil {
		return nil, err
	}
	ids, err := m.meet(l)
	if err != nil {
		return nil, err
	}
	api := s.api()
	if m.http {
		api.Path = ""
	}
	if err := l.dial(api, s.Askers); err != nil {
		return nil, err
	}
	m.prepare(s.Askers, ids)
	r, err := newExchangeOf(s, l, l.conns[m.first:], m).run()
	if err != nil {
		return nil, err
	}
	if err := l.until(lastAnswers, func() bool { return m.missing == 0 }); err != nil && !errors.Is(err, errOverdue) {
		return nil, err
	}
	r.Lost += m.lost + uint64(m.missing)
	r.Doubled += m.doubled
	return r, nil
}

// meet finds out the ids of the end users: each says which it is, and the last connection consumes that.
func (m *meshSend) meet(l *loop) ([]string, error) {
	ids := make([]string, m.users)
	missing := m.users + 1 // and the answer
	l.frame = func(c *conn, payload []byte) error {
		var e struct {
			Event string `json:"e"` // empty: an answer
			Error any    `json:"E"`
			P     struct {
				C string
				D struct{ Frame struct{ Data string } }
			}
		}
		if err := json.Unmarshal(payload, &e); err != nil || c.index != m.users || e.Error != nil {
			return fmt.Errorf("the server sends %q", payload)
		}
		missing--
		if e.Event == "" {
			return nil
		}
		i, err := strconv.Atoi(e.P.D.Frame.Data)
		if err != nil || i < 0 || i >= len(ids) || ids[i] != "" {
			return fmt.Errorf("the server sends %q", payload)
		}
		ids[i] = e.P.C
		return nil
	}
	for _, c := range l.conns {
		text := strconv.Itoa(c.index)
		if c.index == m.users {
			text = fmt.Sprintf(`{"m":"queue.pop","p":[%q],"i":1}`, meshTopic)
		}
		c.out = appendFrame(c.out, []byte(text))
		if err := l.flush(c); err != nil {
			return nil, err
		}
	}
	if err := l.until(30*time.Second, func() bool { return missing == 0 }); err != nil {
		return nil, fmt.Errorf("%d answers and events did not come: %w", missing, err)
	}
	return ids, nil
}

// prepare makes the requests.
func (m *meshSend) prepare(askers int, ids []string) {
	m.texts, m.due, m.heads = make([][]numbered, askers), make([][ring]int64, askers), make([]uint32, askers)
	for i := range m.texts {
		data := string(appendFiller(fmt.Appendf(nil, meshData, i), m.size))
		for _, id := range ids {
			m.texts[i] = append(m.texts[i], m.text(id, data))
		}
	}
}

func (m *meshSend) text(id, data string) numbered {
	number := bytes.IndexByte([]byte(data), ' ') + 1
	place := func(text []byte) int { return bytes.Index(text, []byte(data)) + number }
	if m.http {
		body := fmt.Sprintf(meshBody, id, data)
		text := fmt.Appendf(nil, meshHead, len(body), body)
		return numbered{template{frame: text, plain: true}, []int{place(text)}}
	}
	text := fmt.Appendf(nil, meshRequest, id, data)
	return numbered{newTemplate(text), []int{place(text), len(text) - len(`00000000"}`)}}
}

func (*meshSend) hello(int) []byte    { return nil }
func (*meshSend) welcome([]byte) bool { return false }

// user is whom a request is for.
func (m *meshSend) user(asker int, seq uint32) int { return (asker + int(seq)) % m.users }

func (m *meshSend) request(dst []byte, conn int, seq uint32) []byte {
	asker := conn - m.first
	slot := &m.due[asker][seq%ring]
	if *slot == 0 {
		m.missing++
	} else { // so late that it cannot be told apart
		m.lost++
	}
	*slot = int64(seq) + 1
	return m.texts[asker][m.user(asker, seq)].append(dst, seq)
}

func (m *meshSend) answer(payload []byte, conn int) (seq uint32, ok bool) {
	if m.http {
		head := &m.heads[conn-m.first]
		*head++
		return *head - 1, string(payload) == meshAnswered
	}
	number, ok := bytes.CutPrefix(payload, []byte(meshAnswer))
	seq, isNumber := parseHex(number)
	return seq, ok && isNumber
}

// heard implements audience.
func (m *meshSend) heard(c *conn, payload []byte) (bool, error) {
	if c.index >= m.first {
		return false, nil
	}
	asker, isAsker := parseHex(payload)
	if len(payload) != m.size || !isAsker || int(asker) >= len(m.due) {
		return true, fmt.Errorf("an end user gets %q", payload)
	}
	seq, ok := parseHex(payload[9:])
	if !ok || m.user(int(asker), seq) != c.index {
		return true, fmt.Errorf("end user %d gets %q", c.index, payload)
	}
	slot := &m.due[asker][seq%ring]
	if *slot != int64(seq)+1 {
		m.doubled++
		return true, nil
	}
	*slot = 0
	m.missing--
	return true, nil
}
