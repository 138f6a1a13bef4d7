//go:build linux

package load

import (
	"bytes"
	"cmp"
	"fmt"
)

// protocolOf is the protocol of a spec, but for a [Fanout].
func protocolOf(s *Spec) protocol {
	switch s.Kind {
	case CTProto:
		return ctproto{s.Token}
	case Logux:
		return new(logux)
	}
	return newEcho(s.Size)
}

// echo is frames of a fixed size that come back as they are. A frame begins with its number.
type echo struct {
	frame template
	tail  []byte
}

func newEcho(size int) *echo {
	payload := appendFiller([]byte("00000000 "), size)
	return &echo{newTemplate(payload), payload[8:]}
}

// appendFiller fills a payload up to a size.
func appendFiller(payload []byte, size int) []byte {
	for i := len(payload); i < size; i++ {
		payload = append(payload, 'a'+byte(i%26))
	}
	return payload
}

func (*echo) hello(int) []byte    { return nil }
func (*echo) welcome([]byte) bool { return false }

func (e *echo) request(dst []byte, _ int, seq uint32) []byte { return e.frame.append(dst, seq, 0) }

func (e *echo) answer(payload []byte, _ int) (uint32, bool) {
	seq, ok := parseHex(payload)
	return seq, ok && bytes.Equal(payload[8:], e.tail)
}

// ctproto is requests whose payload the back-end sends back. The payload repeats number and
// connection, so an answer with another's payload is seen.
type ctproto struct{ token string }

const (
	authorize  = `{"messageId":"authorize0","type":"authorize","payload":{"token":%q}}`
	goodToken  = "good-token"
	authorized = `{"messageId":"authorize0",`

	ctRequest   = `{"messageId":"id00000000","type":"bench/say","payload":{"n":"00000000","conn":"%08x","text":"all work and no play"}}`
	ctAnswer    = `{"messageId":"id00000000","payload":{"n":"00000000","conn":"%08x","text":"all work and no play"}}`
	ctID        = len(`{"messageId":"id`)
	ctRequestAt = len(`{"messageId":"id00000000","type":"bench/say","payload":{"n":"`)
	ctAnswerAt  = len(`{"messageId":"id00000000","payload":{"n":"`)
	ctConnAt    = len(`00000000","conn":"`)
)

var (
	ctTemplate = newTemplate(fmt.Appendf(nil, ctRequest, 0))
	ctExpected = fmt.Appendf(nil, ctAnswer, 0)
)

func (p ctproto) hello(int) []byte {
	t := newTemplate(fmt.Appendf(nil, authorize, cmp.Or(p.token, goodToken)))
	return t.frame
}

func (ctproto) welcome(payload []byte) bool { return bytes.HasPrefix(payload, []byte(authorized)) }

func (ctproto) request(dst []byte, conn int, seq uint32) []byte {
	from := len(dst) + ctTemplate.head
	dst = ctTemplate.append(dst, seq, ctID, ctRequestAt)
	at := ctRequestAt + ctConnAt
	for i, c := range hexOf(uint32(conn)) {
		dst[from+at+i] = c ^ mask[(at+i)&3]
	}
	return dst
}

func (ctproto) answer(payload []byte, conn int) (uint32, bool) {
	if len(payload) != len(ctExpected) {
		return 0, false
	}
	seq, ok := parseHex(payload[ctID:])
	of, connOK := parseHex(payload[ctAnswerAt+ctConnAt:])
	return seq, ok && connOK && of == uint32(conn) &&
		bytes.Equal(payload[ctAnswerAt:ctAnswerAt+8], payload[ctID:ctID+8]) &&
		bytes.Equal(payload[ctAnswerAt+ctConnAt+8:], ctExpected[ctAnswerAt+ctConnAt+8:])
}

// CTProtoKey is what tells requests of all connections apart in the JSON of a payload, nil when it is
// none of this package's; a back-end counts with it whether it was asked twice.
func CTProtoKey(body []byte) []byte {
	const before = `"payload":{"n":"`
	at := bytes.Index(body, []byte(before))
	end := at + len(before) + ctConnAt + 8
	if at < 0 || len(body) < end {
		return nil
	}
	return body[at+len(before) : end]
}
