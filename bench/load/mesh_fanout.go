//go:build linux

package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// meshFanout is publications of a back-end over its WebSocket to end users, who are on the channel from the start.
type meshFanout struct {
	request numbered
	tail    []byte // what publications have behind their number
	answers []byte // how the answer to one begins that all took
}

const meshPublish = `{"m":"mesh.publish","p":{"c":%q,"d":%q},"i":"%s"}`

func newMeshFanout(s *Spec) *meshFanout {
	const number = "00000000"
	data := appendFiller([]byte(number+" "), s.Size)
	text := fmt.Appendf(nil, meshPublish, MeshChannel, data, number)
	return &meshFanout{
		request: numbered{newTemplate(text), []int{bytes.Index(text, data), len(text) - len(number+`"}`)}},
		tail:    data[len(number):],
		answers: fmt.Appendf(nil, `{"E":null,"r":{"s":%d,"f":0},"i":"`, s.Connections-1),
	}
}

func (*meshFanout) greetings() []greeting { return nil }

func (f *meshFanout) publish(dst []byte, seq uint32) []byte { return f.request.append(dst, seq) }

func (f *meshFanout) received(payload []byte) (uint32, bool) {
	seq, ok := parseHex(payload)
	return seq, ok && bytes.Equal(payload[8:], f.tail)
}

// answer implements answering: the publication was counted, and reached all.
func (f *meshFanout) answer(payload []byte) (uint32, bool) {
	number, ok := bytes.CutPrefix(payload, f.answers)
	seq, isNumber := parseHex(number)
	return seq, ok && isNumber
}

// gather waits until all end users are on the channel, as they are soon after their handshake, on another node
// once that is known: it publishes until all took one.
func (f *meshFanout) gather(l *loop) error {
	const ready = "ready"
	publisher, all := l.conns[0], len(l.conns)-1
	var answered bool
	var took, total, heard int
	l.frame = func(c *conn, payload []byte) error {
		var a struct {
			E any
			R struct{ S, F int }
		}
		switch {
		case c != publisher && string(payload) == ready:
			heard++
		case c != publisher || json.Unmarshal(payload, &a) != nil || a.E != nil || a.R.F > 0:
			return fmt.Errorf("the server sends %q", payload)
		default:
			answered, took = true, a.R.S
			total += took
		}
		return nil
	}
	deadline := now() + int64(30*time.Second)
	for took != all {
		if now() > deadline {
			return fmt.Errorf("%d of %d end users are on the channel", took, all)
		}
		answered = false
		publisher.out = appendFrame(publisher.out, fmt.Appendf(nil, meshPublish, MeshChannel, ready, ready))
		if err := l.flush(publisher); err != nil {
			return err
		}
		if err := l.until(lastAnswers, func() bool { return answered }); err != nil {
			return fmt.Errorf("the answer to a publication: %w", err)
		}
		if took != all {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if err := l.until(lastAnswers, func() bool { return heard >= total }); err != nil {
		return fmt.Errorf("%d of %d that took what was published have it: %w", heard, total, err)
	}
	return nil
}
