package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// maxShown bounds how much of an answer's body the log gets.
const maxShown = 80

// DecodeAnswer reads the response to a question with that purpose. The answer has Last set. Its
// outcome is OK, Denied or Unavailable, the latter with a Detail that says what is wrong with the
// response; what it holds is its receiver's and does not point into body.
func DecodeAnswer(purpose string, status int, body []byte) *upstream.Answer {
	out := &upstream.Answer{Last: true}
	if purpose == "closed" && status >= 200 && status <= 299 {
		out.Outcome = upstream.OK
		return out
	}
	d, outcome, err := open(status, body)
	switch {
	case outcome == upstream.Denied:
		out.Outcome, out.Reason = upstream.Denied, d.reason
		return out
	case err == nil && purpose == "subscribe":
		if out.Outcome = upstream.Denied; d.allow {
			out.Outcome = upstream.OK
		}
		return out
	case err == nil:
		err = d.fill(out)
	}
	if err != nil {
		return &upstream.Answer{Last: true, Outcome: upstream.Unavailable, Detail: err.Error()}
	}
	out.Outcome = upstream.OK
	return out
}

// DecodeAuthorized reads the response to an authorization. What the result holds does not point into
// body.
func DecodeAuthorized(status int, body []byte) Authorized {
	d, outcome, err := open(status, body)
	if outcome == upstream.Denied {
		return Authorized{Outcome: upstream.Denied, Reason: d.reason}
	}
	out := Authorized{Outcome: upstream.OK}
	if err == nil {
		err = d.identify(&out)
	}
	if err != nil {
		return Authorized{Outcome: upstream.Unavailable, Detail: err.Error()}
	}
	return out
}

// document is an answer taken apart: of members that come twice the last. Its slices point into the
// body and are nil for what is absent or null.
type document struct {
	reason                        string
	allow                         bool
	payload, publish, join, leave []byte
	userID, claims, channels      []byte
	failure                       []byte // the member error
}

// open tells refusals and responses that are no answers from answers. Denied comes with a reason,
// Unavailable with an error, everything else with neither.
func open(status int, body []byte) (d document, outcome upstream.Outcome, err error) {
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	kind := rawjson.KindOf(body)
	valid := kind == rawjson.Object && utf8.Valid(body) && rawjson.Valid(body)
	if valid {
		d.read(body)
	}
	if status == 401 || status == 403 {
		d.reason, _ = text(d.failure)
		return d, upstream.Denied, nil
	}
	switch {
	case status < 200 || status > 299:
		err = fmt.Errorf("the back-end answered with status %d: %q", status, body[:min(len(body), maxShown)])
	case valid && d.failure != nil:
		var ok bool
		if d.reason, ok = text(d.failure); ok {
			return d, upstream.Denied, nil
		}
		err = errors.New("the answer's error is not a string")
	case valid || status == 204 || kind == rawjson.Null && rawjson.Valid(body):
		return d, 0, nil
	case kind == rawjson.Invalid && len(bytes.TrimSpace(body)) == 0:
		err = errors.New("the answer is empty, and its status is not 204")
	case !utf8.Valid(body) || !rawjson.Valid(body):
		err = fmt.Errorf("the answer is not JSON: %q", body[:min(len(body), maxShown)])
	default:
		err = errors.New("the answer is not a JSON object")
	}
	return d, upstream.Unavailable, err
}

func (d *document) read(body []byte) {
	for key, value := range rawjson.Members(body) {
		if rawjson.KindOf(value) == rawjson.Null {
			value = nil
		}
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "error":
			d.failure = value
		case "allow":
			d.allow = string(value) == "true"
		case "payload":
			d.payload = value
		case "publish":
			d.publish = value
		case "join":
			d.join = value
		case "leave":
			d.leave = value
		case "user_id":
			d.userID = value
		case "claims":
			d.claims = value
		case "channels":
			d.channels = value
		}
	}
}

// fill takes what the answer to a message says.
func (d *document) fill(out *upstream.Answer) (err error) {
	out.Payload = bytes.Clone(d.payload)
	if out.Joins, err = list("join", d.join); err != nil {
		return err
	}
	if out.Leaves, err = list("leave", d.leave); err != nil {
		return err
	}
	if d.publish != nil && rawjson.KindOf(d.publish) != rawjson.Array {
		return errors.New("the answer's publish is not a list")
	}
	for element := range rawjson.Elements(d.publish) {
		item, err := itemOf(element)
		if err != nil {
			return err
		}
		// An item for nobody must not become one for the session that asked.
		if len(item.Channels) > 0 {
			out.Items = append(out.Items, item)
		}
	}
	return nil
}

func itemOf(element []byte) (item upstream.Item, err error) {
	if rawjson.KindOf(element) != rawjson.Object {
		return item, errors.New("an element of the answer's publish is not an object")
	}
	var channel, typ, payload []byte
	for key, value := range rawjson.Members(element) {
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "channel":
			channel = value
		case "type":
			typ = value
		case "payload":
			payload = value
		}
	}
	if name, ok := text(channel); ok {
		item.Channels = []string{name}
	} else if item.Channels, err = list("channel", channel); err != nil || channel == nil {
		return item, errors.New("the channel of an element of the answer's publish is neither a string nor a list of strings")
	}
	var ok bool
	if item.Type, ok = text(typ); !ok {
		return item, errors.New("the type of an element of the answer's publish is not a string")
	}
	if payload == nil {
		payload = []byte("{}")
	}
	item.Payload = bytes.Clone(payload)
	return item, nil
}

// identify takes what the answer to an authorization says.
func (d *document) identify(out *Authorized) (err error) {
	id, ok := text(d.userID)
	switch {
	case d.userID == nil || ok && id == "":
		return errors.New("the answer names no user: user_id is missing")
	case !ok && !isInteger(d.userID):
		return errors.New("the answer's user_id is neither a string nor an integer")
	case !ok:
		id = string(d.userID)
	}
	if d.claims != nil && rawjson.KindOf(d.claims) != rawjson.Object {
		return errors.New("the answer's claims are not an object")
	}
	out.UserID, out.Claims = id, bytes.Clone(d.claims)
	out.Channels, err = list("channels", d.channels)
	return err
}

// list reads a list of strings; nil is an empty one.
func list(name string, raw []byte) ([]string, error) {
	if raw == nil {
		return nil, nil
	}
	wrong := fmt.Errorf("the answer's %s is not a list of strings", name)
	if rawjson.KindOf(raw) != rawjson.Array {
		return nil, wrong
	}
	var names []string
	for element := range rawjson.Elements(raw) {
		name, ok := text(element)
		if !ok {
			return nil, wrong
		}
		names = append(names, name)
	}
	return names, nil
}

func text(raw []byte) (string, bool) {
	b, ok := rawjson.Text(raw)
	return string(b), ok
}

// isInteger reports whether a valid JSON number is written as digits alone.
func isInteger(raw []byte) bool {
	digits := strings.TrimPrefix(string(raw), "-")
	return rawjson.KindOf(raw) == rawjson.Number && strings.Trim(digits, "0123456789") == ""
}
