//go:build linux

package logux

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// Command is one of a request.
type Command struct {
	Name    string // "auth" or "action"
	ID      string // the authId, or the id in the meta
	UserID  *string
	Token   json.RawMessage // nil when there was none
	Action  json.RawMessage
	Meta    json.RawMessage
	Version int
	// Fields are those of version 4 but for the name, and as if it were version 4 in versions 1 to 3.
	Fields map[string]json.RawMessage
}

// undisguise takes the disguise off what a scene was asked.
func (c *Command) undisguise(d disguise) {
	c.ID = d.off(c.ID)
	for name, value := range c.Fields {
		c.Fields[name] = json.RawMessage(d.off(string(value)))
	}
}

// Type is that of the action, and "" for an authentication.
func (c *Command) Type() string {
	var action struct{ Type string }
	_ = json.Unmarshal(c.Action, &action) // it was checked
	return action.Type
}

// Call is a request to a back-end and the response to it. Its methods are for one goroutine.
type Call struct {
	Path     string
	Header   http.Header
	Body     []byte
	Version  int
	Secret   *string
	Password *string
	Commands []Command

	w     http.ResponseWriter
	ended chan struct{}

	disguise disguise

	begun bool // the array is
	raw   bool // the test writes the array itself
	done  bool
}

func (c *Call) parse() error {
	var body struct {
		Version  int
		Secret   *string
		Password *string
		Commands []json.RawMessage
	}
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return err
	}
	c.Version, c.Secret, c.Password = body.Version, body.Secret, body.Password
	for _, raw := range body.Commands {
		command := Command{Version: c.Version}
		if err := command.parse(raw); err != nil {
			return err
		}
		c.Commands = append(c.Commands, command)
	}
	if len(c.Commands) == 0 {
		return errors.New("no commands")
	}
	return nil
}

func (c *Command) parse(raw json.RawMessage) error {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err == nil {
		names := map[string][]string{`"auth"`: {"command", "userId", "token", "authId"}, `"action"`: {"command", "action", "meta"}}[string(list[0])]
		if len(list) != len(names) {
			return fmt.Errorf("not a command: %s", raw)
		}
		c.Fields = make(map[string]json.RawMessage)
		for i, name := range names {
			c.Fields[name] = list[i]
		}
	} else if err := json.Unmarshal(raw, &c.Fields); err != nil {
		return err
	}
	take := func(name string, into any) error {
		if c.Fields[name] == nil {
			return nil
		}
		return json.Unmarshal(c.Fields[name], into)
	}
	c.Token, c.Action, c.Meta = c.Fields["token"], c.Fields["action"], c.Fields["meta"]
	var meta struct{ ID string }
	err := errors.Join(take("command", &c.Name), take("authId", &c.ID), take("userId", &c.UserID), take("meta", &meta))
	delete(c.Fields, "command")
	switch {
	case err != nil:
		return err
	case c.Name == "action":
		c.ID = meta.ID
	case c.Name != "auth":
		return fmt.Errorf("not a command: %s", raw)
	}
	if c.ID == "" {
		return fmt.Errorf("no id: %s", raw)
	}
	return nil
}

// key is what the script is filed under.
func (c *Call) key() string {
	first := &c.Commands[0]
	if first.Name == "action" {
		return first.Type()
	}
	var token string
	_ = json.Unmarshal(first.Token, &token) // what is no string has no script
	return token
}

// Write writes text as it is and flushes it. The test then writes all of the response itself.
func (c *Call) Write(text string) {
	c.raw = true
	c.write(text)
}

func (c *Call) write(text string) { c.flush(c.disguise.on(text)) }

func (c *Call) flush(text string) {
	_, err := c.w.Write([]byte(text))
	if err == nil {
		err = http.NewResponseController(c.w).Flush()
	}
	_ = err // who asked may have gone, and is not told
}

// Pieces writes text in pieces of so many bytes, each flushed by itself.
func (c *Call) Pieces(text string, size int) {
	c.raw = true
	for text = c.disguise.on(text); len(text) > 0; {
		n := min(size, len(text))
		c.flush(text[:n])
		text = text[n:]
	}
}

// Quoted is the id of the first command as JSON.
func (c *Call) Quoted() string { return quote(c.Commands[0].ID) }

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings can be marshalled
	}
	return string(text)
}

// Answer writes an answer to the first command, in the form of the version that was asked in. Fields
// are further ones of version 4: `"channels":["a"]`.
func (c *Call) Answer(name string, fields ...string) {
	separator := ","
	if !c.begun {
		c.begun, separator = true, "["
	}
	c.write(separator + c.form(&c.Commands[0], name, fields))
}

func (c *Call) form(command *Command, name string, fields []string) string {
	rest := bytes.Join(asBytes(fields), []byte(","))
	if c.Version >= 4 {
		id := "id"
		if command.Name == "auth" {
			id = "authId"
		}
		if len(rest) > 0 {
			rest = append([]byte(","), rest...)
		}
		return fmt.Sprintf(`{"answer":%q,%q:%s%s}`, name, id, quote(command.ID), rest)
	}
	var values struct{ Details json.RawMessage }
	if err := json.Unmarshal(fmt.Appendf(nil, "{%s}", rest), &values); err != nil {
		panic(fmt.Sprintf("the test answers %s: %v", rest, err))
	}
	switch {
	case name == "error" && c.Version < 3:
		return fmt.Sprintf(`["error",%s]`, values.Details)
	case name == "error":
		return fmt.Sprintf(`["error",%s,%s]`, quote(command.ID), values.Details)
	case len(rest) > 0:
		return fmt.Sprintf(`[%q,%s,{%s}]`, name, quote(command.ID), rest)
	}
	return fmt.Sprintf(`[%q,%s]`, name, quote(command.ID))
}

func asBytes[T ~string | ~[]byte](list []T) [][]byte {
	out := make([][]byte, 0, len(list))
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out
}

// Status answers with a status and a body, and ends the response.
func (c *Call) Status(code int, body string) {
	c.raw = true
	c.w.WriteHeader(code)
	c.write(body)
	c.End()
}

// Redirect answers that what was asked for is elsewhere, and ends the response.
func (c *Call) Redirect(url string) {
	c.w.Header().Set("Location", url)
	c.Status(http.StatusFound, "")
}

// Reset resets the connection where the response is.
func (c *Call) Reset() { c.cut(func(conn *net.TCPConn) { _ = conn.SetLinger(0) }) }

// Cut ends the connection where the response is, in the middle of it.
func (c *Call) Cut() { c.cut(func(*net.TCPConn) {}) }

func (c *Call) cut(before func(*net.TCPConn)) {
	if c.done {
		return
	}
	if conn, _, err := http.NewResponseController(c.w).Hijack(); err == nil {
		before(conn.(*net.TCPConn))
		_ = conn.Close()
	}
	c.finish()
}

// End ends the response.
func (c *Call) End() {
	if c.done {
		return
	}
	if !c.raw {
		if !c.begun {
			c.write("[")
		}
		c.write("]")
	}
	c.finish()
}

// Leave ends the response as it is, in order but perhaps in the middle of its array.
func (c *Call) Leave() {
	c.raw = true
	c.End()
}

func (c *Call) finish() {
	c.done = true
	close(c.ended)
}

// Answered answers with one answer and ends the response.
func (c *Call) Answered(name string, fields ...string) {
	c.Answer(name, fields...)
	c.End()
}

// Processed answers that the action was approved and processed, and ends the response.
func (c *Call) Processed() {
	c.Answer("approved")
	c.Answered("processed")
}
