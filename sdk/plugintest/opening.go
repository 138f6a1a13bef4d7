package plugintest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/protocol-bridge/bridge/core/session"
)

// opening is what a transcript says of a client before it is there.
type opening struct {
	who     *session.Admission // nil: nobody was asked
	headers []session.Header
	local   bool
}

func (w *world) openingOf(name string) *opening {
	o := w.opening[name]
	if o == nil {
		o = new(opening)
		w.opening[name] = o
	}
	return o
}

// admit notes who the auth backend says a client is before its connection is taken.
func (w *world) admit(rest string) error {
	name, text, found := strings.Cut(rest, " ")
	if !found {
		name, text = "", rest
	}
	if w.clients[name] != nil {
		return fmt.Errorf("client %q is there already", name)
	}
	var r Reply
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	w.openingOf(name).who = &session.Admission{
		Identity: &session.Identity{Realm: "test", UserID: r.User, Claims: r.Claims}, Channels: r.Channels,
	}
	return nil
}

// local notes that a client is of this machine.
func (w *world) local(name string) error {
	if w.clients[name] != nil {
		return fmt.Errorf("client %q is there already", name)
	}
	w.openingOf(name).local = true
	return nil
}

// header notes a header of the request that the client is to make.
func (w *world) header(l *line) error {
	name, value, found := strings.Cut(l.rest, ":")
	if !found || w.clients[l.who] != nil {
		return fmt.Errorf("%q is no header of a request that follows", l.rest)
	}
	o := w.openingOf(l.who)
	o.headers = append(o.headers, session.Header{Name: strings.ToLower(name), Value: strings.TrimSpace(value)})
	return nil
}

// info is how the session of a client comes to be.
func (w *world) info(name, path string) *session.Info {
	path, query, _ := strings.Cut(path, "?")
	o := w.openingOf(name)
	info := &session.Info{
		Route: w.route(path), RemoteAddress: "203.0.113.9:50000", Method: "GET", Path: path, Query: query,
		Host: "bridge.example", Headers: o.headers, Local: o.local,
	}
	if o.local {
		info.RemoteAddress, info.Host = "127.0.0.1:50000", "127.0.0.1:6789"
	}
	return info
}

// route is the id of the route that serves a path: the longest that does, else the first.
func (w *world) route(path string) string {
	best := w.routes[0]
	for _, r := range w.routes {
		p := r.GetPath()
		if (p == path || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p)) && len(p) > len(best.GetPath()) {
			best = r
		}
	}
	return best.GetId()
}

// client returns the client of that name, which is connected if it is not yet.
func (w *world) client(name, path string) *client {
	c := w.clients[name]
	if c == nil {
		c = newClient(name, w.changed)
		w.clients[name] = c
		c.session = w.plugin.OpenSession(w.info(name, path), w.openingOf(name).who, c, w.limits)
		close(c.ready)
	}
	return c
}

func (w *world) request(l *line) error {
	method, rest, _ := strings.Cut(l.rest, " ")
	path, body, _ := strings.Cut(rest, " ")
	if w.clients[l.who] != nil {
		return fmt.Errorf("%q has made its request", l.who)
	}
	c := newClient(l.who, w.changed)
	w.clients[l.who] = c
	i := w.info(l.who, path)
	i.Method, i.HTTP = method, true
	c.session = w.plugin.OpenRequest(i, w.openingOf(l.who).who, request{c}, w.limits, []byte(body), false)
	close(c.ready)
	return nil
}
