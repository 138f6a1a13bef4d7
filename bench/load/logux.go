//go:build linux

package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// logux is actions of clients, one to a sync. The counter of an action's id is the number of the request,
// and the server's word that the action of that id was processed is the answer.
type logux struct {
	payload []byte
	nodes   []string // of connections; made when they are needed first
}

const (
	loguxConnect   = `["connect",4,%q,0,{"token":%q,"subprotocol":"1.0.0"}]`
	loguxConnected = `["connected",4,`
	loguxSync      = `["sync",`
	loguxAction    = `,{"type":"bench/say","payload":{"text":"all work and no play"}},{"id":[`
	loguxProcessed = `"logux/processed"`
	loguxID        = `"id":"`
)

// loguxNode is who the client of a connection is, of the user that the good token is of. Those of another
// process are others.
func loguxNode(conn int) string { return fmt.Sprintf("38:bench%dx%04d:load", os.Getpid(), conn) }

func (l *logux) node(conn int) string {
	for i := len(l.nodes); i <= conn; i++ {
		l.nodes = append(l.nodes, loguxNode(i))
	}
	return l.nodes[conn]
}

func (*logux) hello(conn int) []byte {
	return appendFrame(nil, fmt.Appendf(nil, loguxConnect, loguxNode(conn), goodToken))
}

func (*logux) welcome(payload []byte) bool { return bytes.HasPrefix(payload, []byte(loguxConnected)) }

func (l *logux) request(dst []byte, _ int, seq uint32) []byte {
	at := now() / int64(time.Millisecond)
	b := strconv.AppendUint(append(l.payload[:0], loguxSync...), uint64(seq)+1, 10)
	b = strconv.AppendInt(append(b, loguxAction...), at, 10)
	b = strconv.AppendUint(append(b, ','), uint64(seq), 10)
	b = strconv.AppendInt(append(b, `],"time":`...), at, 10)
	b = append(b, "}]"...)
	l.payload = b
	return appendFrame(dst, b)
}

// reply confirms what the server syncs, and answers its pings.
func (l *logux) reply(dst, payload []byte) (_ []byte, aside bool) {
	synced, isSync := bytes.CutPrefix(payload, []byte(loguxSync))
	switch {
	case isSync:
		number, _, _ := bytes.Cut(synced, []byte(","))
		l.payload = append(append(append(l.payload[:0], `["synced",`...), number...), ']')
		return appendFrame(dst, l.payload), false
	case bytes.HasPrefix(payload, []byte(`["ping",`)):
		return appendFrame(dst, []byte(`["pong",0]`)), true
	}
	return dst, bytes.HasPrefix(payload, []byte(`["synced",`))
}

func (l *logux) answer(payload []byte, conn int) (uint32, bool) {
	if bytes.Count(payload, []byte(loguxProcessed)) != 1 {
		return 0, false
	}
	_, id, _ := bytes.Cut(payload, []byte(loguxID))
	id, _, _ = bytes.Cut(id, []byte{'"'})
	_, rest, _ := bytes.Cut(id, []byte{' '})
	node, counter, _ := bytes.Cut(rest, []byte{' '})
	seq, err := strconv.ParseUint(string(counter), 10, 32)
	return uint32(seq), err == nil && string(node) == l.node(conn)
}
