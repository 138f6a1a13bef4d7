package logux

import (
	"errors"
	"fmt"

	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// meta is what a back-end says of an action that it makes.
type meta struct {
	id      actionID
	hasID   bool
	time    moment
	hasTime bool
	// subprotocol is SemVer; empty: not said.
	subprotocol string
	to          logux.Addressees
	exclude     []string // client ids
}

// parseMeta reads a valid JSON value. The error is about the first value of a wrong type; what else is
// said is read all the same.
func parseMeta(raw []byte) (m meta, err error) {
	if raw != nil && rawjson.KindOf(raw) != rawjson.Object {
		return m, errors.New("meta is no object")
	}
	for key, value := range rawjson.Members(raw) {
		name, _ := rawjson.Text(key)
		if !m.set(string(name), value) && err == nil {
			err = fmt.Errorf("%q of meta has a wrong value", name)
		}
	}
	if m.hasID && !m.hasTime {
		m.time = m.id.ms
	}
	return m, err
}

// set takes one member; false means that its value is none for it.
func (m *meta) set(name string, value []byte) bool {
	switch name {
	case "id":
		text, ok := rawjson.Text(value)
		if ok {
			m.id, m.hasID = parseID(string(text))
		}
		return m.hasID
	case "time":
		if text, ok := rawjson.Text(value); ok {
			value = text // logux-rack writes digits
		}
		m.time, m.hasTime = parseMoment(value)
		return m.hasTime
	case "subprotocol":
		var ok bool
		m.subprotocol, ok = semverOf(value)
		return ok
	case "channels":
		return appendNames(&m.to.Channels, value)
	case "users":
		return appendNames(&m.to.Users, value)
	case "clients":
		return appendNames(&m.to.Clients, value)
	case "nodes":
		return appendNames(&m.to.Nodes, value)
	case "excludeClients":
		return appendNames(&m.exclude, value)
	case "channel":
		return appendName(&m.to.Channels, value)
	case "user":
		return appendName(&m.to.Users, value)
	case "client":
		return appendName(&m.to.Clients, value)
	case "node":
		return appendName(&m.to.Nodes, value)
	case "reasons":
		var reasons []string
		return appendNames(&reasons, value)
	}
	return true
}

// appendNames takes a list of names. A lone name is taken too, though it is wrong.
func appendNames(list *[]string, value []byte) bool {
	if rawjson.KindOf(value) != rawjson.Array {
		appendName(list, value)
		return false
	}
	ok := true
	for element := range rawjson.Elements(value) {
		ok = appendName(list, element) && ok
	}
	return ok
}

// appendName takes a name: a string, or a number, as ids of users often are to a back-end.
func appendName(list *[]string, value []byte) bool {
	if text, ok := rawjson.Text(value); ok {
		*list = append(*list, string(text))
		return true
	}
	number, ok := plainNumber(value)
	if ok {
		*list = append(*list, number)
	}
	return ok
}
