package admin

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// PluginStatus is an element of GET /api/plugins.
type PluginStatus struct {
	Name     string `json:"name"`     // the label of the plugin's block
	PID      int    `json:"pid"`      // of the serving process; 0: there is none
	State    string `json:"state"`    // a word of the plugin host's
	Restarts uint64 `json:"restarts"` // after deaths
	Culprits uint64 `json:"culprits"` // events that ended the plugin each time, whose sessions were closed
	Sessions int    `json:"sessions"`
	Links    int    `json:"links"`
	Error    string `json:"error,omitempty"` // what is wrong
	Mend     string `json:"mend,omitempty"`  // what to do about it
}

// Status is the answer of GET /api/status.
type Status struct {
	Version  string         `json:"version"`
	PID      int            `json:"pid"`
	Started  time.Time      `json:"started"`
	Ready    bool           `json:"ready"`
	Reasons  []string       `json:"reasons,omitempty"` // why it is not ready
	Sessions int            `json:"sessions"`          // of this node
	Plugins  []PluginStatus `json:"plugins"`
	Nodes    []NodeStatus   `json:"nodes,omitempty"` // of the cluster, this one first; none: there is no cluster
}

// ID is that of a session; in JSON a decimal string, as no number of JavaScript holds it.
type ID uint64

// String is the id as people and JSON write it.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (id *ID) UnmarshalText(text []byte) error {
	n, err := ParseID(string(text))
	*id = n
	return err
}

// ParseID reads an id: a positive decimal number below 2⁶³.
func ParseID(text string) (ID, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, refusal("a session's id is a number, as GET /api/sessions shows it")
	}
	return ID(n), nil
}

// SessionQuery says which sessions GET /api/sessions lists. An empty field means all.
type SessionQuery struct {
	User    string // id of an authenticated user
	Realm   string // auth block of that user, as "static.dev"
	Plugin  string // label
	Route   string // id of the route, or its path
	Channel string // that the session has joined
	Limit   int    // 1 to [MaxPage]
	After   ID     `json:",omitempty"` // only sessions of higher ids
}

// Bounds of a page of sessions.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// SessionPage is the answer of GET /api/sessions: sessions in the order of their ids, which is that in
// which they were opened.
type SessionPage struct {
	Sessions []SessionStatus `json:"sessions"`
	Next     ID              `json:"next,omitempty"` // what "after" gets the next page; none: this was the last
	// Missing are nodes of the cluster that did not answer in time, and whose sessions are not listed.
	Missing []uint16 `json:"missing_nodes,omitempty"`
}

// NodeStatus is one node of the cluster.
type NodeStatus struct {
	Node     uint16 `json:"node"`
	Host     string `json:"host"`
	Version  string `json:"version"`
	Sessions int    `json:"sessions"` // open ones, as it said last
	Self     bool   `json:"self,omitempty"`
}

// SessionStatus is what an operator may know of a session: nothing that a client could come in with,
// and nothing of what it says.
type SessionStatus struct {
	ID            ID        `json:"id"`
	Plugin        string    `json:"plugin"`
	Route         string    `json:"route"`
	User          string    `json:"user,omitempty"`  // absent: not authenticated
	Realm         string    `json:"realm,omitempty"` // likewise
	RemoteAddress string    `json:"remote_address"`
	Transport     string    `json:"transport"` // "websocket", "http", or another word of the core's
	Opened        time.Time `json:"opened"`
	Channels      []string  `json:"channels"`
	OutboxBytes   int       `json:"outbox_bytes"`      // waiting to be written
	InFlight      int       `json:"in_flight"`         // events and calls not yet answered
	Context       []string  `json:"context,omitempty"` // keys that back-ends have set, without the values
}

// CloseRequest is the body of POST /api/sessions/close. Exactly one of IDs, User and Route says whom.
type CloseRequest struct {
	IDs    []ID   `json:"ids"`
	User   string `json:"user"`
	Realm  string `json:"realm"` // of User; empty: all
	Route  string `json:"route"` // id or path
	Code   int    `json:"code"`  // of the close frame; 0: 1000
	Reason string `json:"reason"`
}

func (c *CloseRequest) check() error {
	ways := 0
	for _, given := range []bool{c.IDs != nil, c.User != "", c.Route != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return refusal(`exactly one of "ids", "user" and "route" says which sessions are closed`)
	case c.Realm != "" && c.User == "":
		return refusal(`"realm" is that of a "user"`)
	}
	return nil
}

// PublishRequest is the body of POST /api/publish. The payload goes on byte for byte.
type PublishRequest struct {
	Channel string          `json:"channel"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

func (p *PublishRequest) check() error {
	switch {
	case p.Channel == "":
		return refusal(`"channel" is missing`)
	case p.Type == "":
		return refusal(`"type" is missing`)
	case p.Payload == nil:
		return refusal(`"payload" is missing`)
	}
	return nil
}

// LogLevel is the body of POST /api/log-level, and the answer.
type LogLevel struct {
	Level string `json:"level"` // debug, info, warn or error
}

// LogRequest is the body of POST /api/sessions/ID/log.
type LogRequest struct {
	Seconds int `json:"seconds"` // 1 to 3600
}

const maxLogSeconds = 3600

func (l *LogRequest) check() error {
	if l.Seconds < 1 || l.Seconds > maxLogSeconds {
		return refusal(`"seconds" is a number from 1 to 3600`)
	}
	return nil
}

// refusal is what is wrong with a question, for whoever asked.
type refusal string

func (r refusal) Error() string { return string(r) }

// Reloaded is the answer of POST /api/reload: nothing has changed when it is empty.
type Reloaded struct {
	Changes []Change `json:"changes"`
}

// Change is one difference that a reload found between two configurations, and what became of it.
type Change struct {
	Sign     string   `json:"sign"` // "+", "-" or "~"
	What     string   `json:"what"` // as "route ctproto:public:/client"
	Differs  []string `json:"differs,omitempty"`
	Replaced bool     `json:"replaced,omitempty"` // the plugin has a new process
	Closed   int      `json:"closed,omitempty"`   // sessions that are closed
}

// String is the change on one line.
func (c Change) String() string {
	text := c.Sign + " " + c.What
	if len(c.Differs) > 0 {
		text += ": " + strings.Join(c.Differs, ", ")
	}
	if c.Replaced {
		text += "; new process, all sessions stay"
	}
	switch {
	case c.Closed == 1:
		text += "; 1 session is closed"
	case c.Closed > 1:
		text += fmt.Sprintf("; %d sessions are closed", c.Closed)
	}
	return text
}
