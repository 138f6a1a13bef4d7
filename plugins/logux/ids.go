package logux

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// serverUser is the user that no client may be.
const serverUser = "server"

// serverNode is the node id of this server: the same for the life of the process and after it, and on
// all nodes of a cluster, so that one form of an id fits all clients.
func serverNode(label string) string {
	sum := sha256.Sum256([]byte("bridge logux " + label))
	return serverUser + ":" + base64.RawURLEncoding.EncodeToString(sum[:6])
}

// nodeID is the id of a node taken apart: "38:Y7bysd:O0ETfc" is of the user 38 and the client
// 38:Y7bysd. One without a colon has no user, and is its client's as it is.
type nodeID struct {
	user    string
	client  string
	hasUser bool
}

func parseNode(id string) nodeID {
	user, rest, ok := strings.Cut(id, ":")
	if !ok {
		return nodeID{client: id}
	}
	client, _, _ := strings.Cut(rest, ":")
	return nodeID{user: user, client: id[:len(user)+1+len(client)], hasUser: true}
}

// isServer says whether the node is, or claims to be, a server.
func (n nodeID) isServer() bool { return n.user == serverUser || n.client == serverUser }

// moment is a time in thousandths of a millisecond since 1970: those of ids and actions may have
// fractions. What is finer is rounded.
type moment int64

const (
	perMilli = 1000
	// mostMillis bounds times, so that their thousandths are exact numbers for every reader of JSON.
	mostMillis = 1<<53/perMilli - 1
)

func millis(ms int64) moment { return moment(ms * perMilli) }

// whole returns the milliseconds; ok is false where there is a fraction.
func (m moment) whole() (ms int64, ok bool) { return int64(m / perMilli), m%perMilli == 0 }

// append appends it as milliseconds.
func (m moment) append(dst []byte) []byte {
	if ms, ok := m.whole(); ok {
		return strconv.AppendInt(dst, ms, 10)
	}
	return strconv.AppendFloat(dst, float64(m)/perMilli, 'f', -1, 64)
}

// parseMoment reads milliseconds, which are a JSON number.
func parseMoment(text []byte) (moment, bool) {
	if n, ok := parseInt(text); ok {
		return millis(n), n >= -mostMillis && n <= mostMillis
	}
	if rawjson.KindOf(text) != rawjson.Number || !rawjson.Valid(text) {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.Abs(f) > mostMillis {
		return 0, false
	}
	return moment(math.Round(f * perMilli)), true
}

// parseInt reads a JSON number that is written as a whole one of at most 18 digits.
func parseInt(text []byte) (n int64, ok bool) {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

// plainNumber is a JSON number as JavaScript writes it where that is without an exponent; ok is false
// for what is no number, and for one that is larger.
func plainNumber(text []byte) (plain string, ok bool) {
	if n, ok := parseInt(text); ok && (n != 0 || text[0] == '0') {
		return string(text), true
	}
	if rawjson.KindOf(text) != rawjson.Number || !rawjson.Valid(text) {
		return "", false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.Abs(f) >= 1<<63 {
		return "", false
	}
	if f == 0 {
		return "0", true // and not -0
	}
	return strconv.FormatFloat(f, 'f', -1, 64), true
}

// actionID is the id of an action taken apart: "<ms> <node> <counter>".
type actionID struct {
	ms      moment
	node    string
	counter string // a JSON number
}

// parseID reads an id; ok is false for what is none.
func parseID(text string) (id actionID, ok bool) {
	ms, rest, ok1 := strings.Cut(text, " ")
	node, counter, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 || !validNode(node) {
		return actionID{}, false
	}
	if id.ms, ok = parseMoment([]byte(ms)); !ok {
		return actionID{}, false
	}
	if counter, ok = plainNumber([]byte(counter)); !ok {
		return actionID{}, false
	}
	id.node, id.counter = node, counter
	return id, true
}

// String is the id as a text; it needs no escapes in JSON but those of its node.
func (id *actionID) String() string {
	const ms = 16
	b := make([]byte, 0, ms+2+len(id.node)+len(id.counter))
	b = append(id.ms.append(b), ' ')
	b = append(append(b, id.node...), ' ')
	return string(append(b, id.counter...))
}

// maxNode is how long the id of a node may be: names of channels are made of it.
const maxNode = 200

// validNode says whether a text can be the id of a node: actions' ids and names of channels are made of
// it.
func validNode(id string) bool {
	return id != "" && len(id) <= maxNode && sdk.CheckChannel("_"+id) == nil
}

// firstFresh is where the counters of freshID begin. Those below are for what is said to one client
// alone, see outcomes.go.
const firstFresh = 1000

// freshID returns an id for an action that this server makes in this step; index tells those of one step
// apart. It rests on what names the event in the whole cluster, so it needs no memory and is never
// given twice.
func (p *Plugin) freshID(s *session, index int) actionID {
	h := fnv.New64a()
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], s.ID()^uint64(p.number)<<48)
	binary.LittleEndian.PutUint64(b[8:], s.Seq())
	binary.LittleEndian.PutUint64(b[16:], uint64(index))
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(s.Key()))
	return actionID{millis(s.Time().UnixMilli()), p.node, freshCounter(h.Sum64())}
}

func fnvOf(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return h.Sum64()
}

// freshCounter makes a counter of a hash: 48 bits, as ids of one millisecond alone must differ.
func freshCounter(hash uint64) string { return strconv.FormatUint(firstFresh+hash>>16, 10) }
