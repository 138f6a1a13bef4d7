//go:build linux

package logux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// clientName is a client in the text of a scene: a user from 10 to 19 and a name. To a server it has a
// number as well, so that no scene knows the clients of another.
var clientName = regexp.MustCompile(`\b(1\d:[a-z]\w*)(~\d+~)?`)

var sceneNumber atomic.Int64

// disguise is what makes the clients of one scene its own.
type disguise string

func newDisguise() disguise { return disguise(fmt.Sprintf("~%d~", sceneNumber.Add(1))) }

func (d disguise) on(text string) string {
	if d == "" {
		return text
	}
	return clientName.ReplaceAllString(text, "$1"+string(d))
}

func (d disguise) off(text string) string { return strings.ReplaceAll(text, string(d), "") }

// labels are names for what differs from run to run: "a+5" is 5 ms after the base of the connection a,
// "now" a time of this run, "server:ID" the id of a server.
type labels struct {
	began int64
	// ids are the actions that clients sent, by their whole id.
	ids   map[string]label
	bases map[string]int64 // by connection
}

// label is a time from the base of a connection.
type label struct {
	connection string
	shift      float64
}

func newLabels() *labels {
	return &labels{began: time.Now().UnixMilli(), ids: make(map[string]label), bases: make(map[string]int64)}
}

func (l label) String() string {
	sign := "+"
	if l.shift < 0 {
		sign = "" // it has its own
	}
	return l.connection + sign + decimal(l.shift)
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// sent notes the action that a connection sends with a shift.
func (ls *labels) sent(connection string, shift float64, node string, counter int) {
	ls.ids[wholeID(float64(ls.bases[connection])+shift, node, counter)] = label{connection, shift}
}

func wholeID(ms float64, node string, counter int) string {
	return decimal(ms) + " " + node + " " + strconv.Itoa(counter)
}

// at names a time by itself.
func (ls *labels) at(ms float64) string {
	const hour = 3600_000
	if ms > float64(ls.began)-hour && ms < float64(ls.began)+hour {
		return "now"
	}
	return decimal(ms)
}

var (
	idInText   = regexp.MustCompile(`(\d+(?:\.\d+)?) ([^\s"\\]+) (\d+)`)
	serverNode = regexp.MustCompile(`server:[\w-]{8}`)
	authID     = regexp.MustCompile(`^"[\w-]{21}"$`)
)

// text names what is in a text: whole ids, and those of servers.
func (ls *labels) text(s string) string {
	s = idInText.ReplaceAllStringFunc(s, func(id string) string {
		parts := strings.Split(id, " ")
		ms, err := strconv.ParseFloat(parts[0], 64)
		if err != nil {
			return id
		}
		if l, ok := ls.ids[id]; ok {
			return l.String() + " " + parts[1] + " " + parts[2]
		}
		counter := parts[2]
		if ls.at(ms) == "now" {
			counter = "0" // how many there were in that millisecond is chance
		}
		return ls.at(ms) + " " + parts[1] + " " + counter
	})
	return serverNode.ReplaceAllString(s, "server:ID")
}

// time names the time in a meta whose whole id is known.
func (ls *labels) time(ms float64, id string) string {
	if l, ok := ls.ids[id]; ok {
		return label{l.connection, ms - float64(ls.bases[l.connection])}.String()
	}
	return ls.at(ms)
}

// frame names what is in a frame that a connection of a node got from a server. The base of the
// connection is noted. It is one line, or one for each action of a sync: how many come in one frame is
// chance.
func (ls *labels) frame(connection, frame string) []string {
	var list []json.RawMessage
	if json.Unmarshal([]byte(frame), &list) != nil || len(list) == 0 {
		return []string{frame}
	}
	switch string(list[0]) {
	case `"connected"`:
		var times [2]int64
		if len(list) < 4 || json.Unmarshal(list[3], &times) != nil || times[0] > times[1] {
			break
		}
		ls.bases[connection] = times[1]
		list[3] = json.RawMessage("[" + ls.at(float64(times[0])) + "," + ls.at(float64(times[1])) + "]")
		return []string{ls.text("[" + string(bytes.Join(asBytes(list), []byte(","))) + "]")}
	case `"sync"`:
		var lines []string
		for i := 3; i < len(list); i += 2 {
			line := fmt.Sprintf(`["sync",%s,%s,%s]`, list[1], ls.text(string(list[i-1])), ls.wireMeta(connection, list[i]))
			lines = append(lines, ls.text(line))
		}
		return lines
	}
	return []string{ls.text(frame)}
}

// wireMeta names what is in the meta of a sync: in which form the id is stays to be seen.
func (ls *labels) wireMeta(connection string, raw json.RawMessage) string {
	var meta map[string]json.RawMessage
	if json.Unmarshal(raw, &meta) != nil {
		return string(raw)
	}
	base := float64(ls.bases[connection])
	id := "" // a server's own, unless it is in the long form
	var shift float64
	var long []json.RawMessage
	switch {
	case json.Unmarshal(meta["id"], &shift) == nil:
		meta["id"] = json.RawMessage(ls.at(shift + base))
	case json.Unmarshal(meta["id"], &long) == nil && len(long) == 3 && json.Unmarshal(long[0], &shift) == nil:
		node, _ := strconv.Unquote(string(long[1]))
		id = wholeID(shift+base, node, must(strconv.Atoi(string(long[2]))))
		meta["id"] = json.RawMessage(fmt.Sprintf("[%s,%s,%s]", ls.time(shift+base, id), long[1], long[2]))
	case len(long) == 2 && json.Unmarshal(long[0], &shift) == nil:
		meta["id"] = json.RawMessage(ls.at(shift + base)) // which of that millisecond is chance
	}
	var at float64
	if json.Unmarshal(meta["time"], &at) == nil {
		meta["time"] = json.RawMessage(ls.time(at+base, id))
	}
	return sorted(meta)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sorted writes an object with its keys in order, which means nothing in it.
func sorted(object map[string]json.RawMessage) string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var w strings.Builder
	w.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(&w, "%q:%s", key, object[key])
	}
	w.WriteByte('}')
	return w.String()
}

// command names what is in a command for a back-end.
func (ls *labels) command(c *Command) string {
	fields := make(map[string]json.RawMessage, len(c.Fields))
	maps.Copy(fields, c.Fields)
	if authID.Match(fields["authId"]) {
		fields["authId"] = json.RawMessage("AUTH")
	}
	var meta map[string]json.RawMessage
	if fields["meta"] != nil && json.Unmarshal(fields["meta"], &meta) == nil {
		var at float64
		if json.Unmarshal(meta["time"], &at) == nil {
			meta["time"] = json.RawMessage(ls.time(at, c.ID))
		}
		fields["meta"] = json.RawMessage(sorted(meta))
	}
	return ls.text(c.Name + " " + sorted(fields))
}
