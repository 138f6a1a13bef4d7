package mesh

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// nodeOf is the number of the node that a session is of, which its id has in the ten bits above the lowest
// twelve.
func nodeOf(id uint64) int { return int(id >> 12 & 1023) }

// event is what a back-end gets of an end user: as it stands in the topic, so that whoever delivers it
// need not look at it.
func event(s *session, topic, name string, frame *sdk.Frame) []byte {
	c := configOf(s)
	size := 256
	if frame != nil {
		size += len(frame.Data)
	}
	dst := append(make([]byte, 0, size), `{"e":"queue.pop","p":{"n":`...)
	dst = strconv.AppendInt(dst, int64(nodeOf(s.ID())), 10)
	dst = strconv.AppendUint(append(dst, `,"c":"`...), s.ID(), 10)
	dst = rawjson.AppendString(append(dst, `","t":`...), topic)
	dst = append(dst, `,"d":{`...)
	from := len(dst)
	member := func(key string) {
		if len(dst) > from {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, key), ':')
	}
	if c.Event {
		member("event")
		dst = rawjson.AppendString(dst, name)
	}
	if frame != nil {
		member("frame")
		dst = appendFrame(dst, frame)
	}
	for _, key := range c.ContextKeys {
		if value := s.Context(key); value != nil {
			member(key)
			dst = append(dst, value...)
		}
	}
	if slices.Contains(c.HeadersOn, name) {
		member("headers")
		dst = appendHeaders(dst, s.Info().Headers)
	}
	return append(dst, `}},"id":null}`...)
}

func appendFrame(dst []byte, f *sdk.Frame) []byte {
	if f.Binary {
		dst = append(dst, `{"type":"binary","data":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, f.Data)
		dst = append(dst, '"')
	} else {
		dst = rawjson.AppendString(append(dst, `{"type":"text","data":`...), string(f.Data))
	}
	return append(dst, `,"finish":true}`...)
}

// appendHeaders appends an object of headers; repeated ones are one, as RFC 9110 joins them.
func appendHeaders(dst []byte, headers []sdk.Header) []byte {
	dst = append(dst, '{')
	for i, h := range headers {
		if slices.ContainsFunc(headers[:i], func(o sdk.Header) bool { return o.Name == h.Name }) {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		values := []string{h.Value}
		for _, o := range headers[i+1:] {
			if o.Name == h.Name {
				values = append(values, o.Value)
			}
		}
		dst = append(rawjson.AppendString(dst, h.Name), ':')
		dst = rawjson.AppendString(dst, strings.Join(values, ", "))
	}
	return append(dst, '}')
}
