//go:build linux

package load

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// loguxFanout is actions of a client that the back-end resends to a channel.
type loguxFanout struct{ logux }

// LoguxChannel is the channel of a [LoguxFanout].
const LoguxChannel = "bench"

const (
	loguxPublish = `,{"type":"bench/say","payload":{"text":"all work and no play","n":"%08x"}},{"id":[`
	loguxNumber  = `"n":"`
)

func (*loguxFanout) greetings() []greeting { return []greeting{&logux{}, &loguxSubscriber{}} }

func (f *loguxFanout) publish(dst []byte, seq uint32) []byte {
	at := now() / int64(time.Millisecond)
	b := strconv.AppendUint(append(f.payload[:0], loguxSync...), uint64(seq)+2, 10)
	b = strconv.AppendInt(fmt.Appendf(b, loguxPublish, seq), at, 10)
	b = strconv.AppendUint(append(b, ','), uint64(seq)+1, 10)
	b = strconv.AppendInt(append(b, `],"time":`...), at, 10)
	b = append(b, "}]"...)
	f.payload = b
	return appendFrame(dst, f.payload)
}

func (*loguxFanout) received(payload []byte) (uint32, bool) {
	_, number, ok := bytes.Cut(payload, []byte(loguxNumber))
	seq, isNumber := parseHex(number)
	return seq, ok && isNumber && bytes.Count(payload, []byte(loguxNumber)) == 1
}

// loguxSubscriber is the greeting of a connected client that receives.
type loguxSubscriber struct{ logux }

func (*loguxSubscriber) hello(int) []byte {
	at := now() / int64(time.Millisecond)
	return appendFrame(nil, fmt.Appendf(nil, `["sync",1,{"type":"logux/subscribe","channel":%q},{"id":[%d,0],"time":%[2]d}]`, LoguxChannel, at))
}

func (*loguxSubscriber) welcome(payload []byte) bool {
	return bytes.Contains(payload, []byte(loguxProcessed))
}
