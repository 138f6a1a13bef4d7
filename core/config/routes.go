package config

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
)

// channelRoots are the variables of a route's `channels`.
var channelRoots = []string{"user", "claims", "request", "session"}

// servedPath is where a path of a listener was written first.
type servedPath struct {
	plugin string
	at     hcl.Range
}

func (d *decoder) route(p *Plugin, block *hcl.Block, c *Config, paths map[string]servedPath) *Route {
	r := &Route{Path: block.Labels[0], Range: block.DefRange}
	in := d.content(block.Body, routeSpec)
	at := in.Attributes
	r.roleAttr = at["role"]
	d.text(r.roleAttr, &r.Role)
	d.routeListener(r, at["listener"], c.Listeners)
	d.routePaths(p, r, block, at["also"], paths)
	if r.Listener != nil {
		r.ID = strings.Join([]string{p.Label, r.Listener.Name, r.Path}, ":")
	}
	_, what := d.reference(at["upstream"], "upstream")
	r.Upstream, _ = what.(*Upstream)
	d.push(r, at["push"])
	d.routeAuth(r, at["auth"], c)
	if attr := at["channels"]; attr != nil {
		r.Channels = d.channels(attr)
	}
	if b := d.single(in, "limits"); b != nil {
		d.limits(b, &r.Limits)
	}
	r.config = d.single(in, "config")
	return r
}

func (d *decoder) limits(block *hcl.Block, into *Limits) {
	at := d.content(block.Body, limitsSpec).Attributes
	d.size(at["max_frame"], &into.MaxFrame)
	d.size(at["max_binary"], &into.MaxBinary)
	d.rate(at["rate"], &into.Rate)
	d.int(at["max_sessions"], 1, mostSessions, &into.MaxSessions)
}

// mostSessions is more than one machine can have.
const mostSessions = 100_000_000

// push takes the Logux server that a route pushes to beside asking its upstream.
func (d *decoder) push(r *Route, attr *hcl.Attribute) {
	r.Push = d.upstreamOf(attr, "logux_server")
	if r.Push != nil && r.Upstream == r.Push {
		d.error(attr.Expr.Range(), "Pushed twice", `What goes to the upstream of this route reaches that Logux server already. Take "push" out.`)
	}
}

// routeAuth resolves who says who the clients of a route are, and checks what can be known of that
// before the plugin has said what its roles are.
func (d *decoder) routeAuth(r *Route, attr *hcl.Attribute, c *Config) {
	if attr == nil {
		r.byUpstream = d.loguxAuth(r, c)
		r.Auth = r.byUpstream
		return
	}
	ref, what := d.reference(attr, "auth")
	r.Auth, _ = what.(*Auth)
	r.AuthNone = ref == "auth.none"
	r.authAttr = attr
	l := r.Listener
	if r.Auth == nil || r.Auth.Kind != "static" || l == nil || l.Address == "" {
		return
	}
	const why = "The tokens of %s stand in a file, for development on one machine; the listener %q %s."
	switch {
	case !l.Loopback():
		d.error(attr.Expr.Range(), "Static tokens beyond loopback", why, ref, l.Name, "at "+l.Address+" is open to others")
	case len(l.TrustedProxies) > 0:
		d.error(attr.Expr.Range(), "Static tokens behind a proxy", why, ref, l.Name, "has trusted_proxies, through which others reach it")
	}
}

// loguxAuth returns who is asked for a route without auth: its upstream, when that is a Logux
// back-end. Where no block says so one is made.
func (d *decoder) loguxAuth(r *Route, c *Config) *Auth {
	u := r.Upstream
	if u == nil || u.Kind != "logux" {
		return nil
	}
	var found []*Auth
	var same *Auth // of the upstream's name
	for _, a := range c.Auths {
		if a.Kind != "logux" {
			continue
		}
		if a.Name == u.Name {
			same = a
		}
		if a.Logux.Upstream == u {
			found = append(found, a)
		}
	}
	switch {
	case same != nil && (same.Logux.Upstream == u || same.Logux.Upstream == nil): // nil: broken, and reported
		return same
	case len(found) == 1:
		return found[0]
	case len(found) > 1:
		d.error(r.Range, "Ambiguous auth", "auth.%s and auth.%s both ask upstream.%s, which this route's clients would be known by. Name one of them with \"auth\".",
			found[0].Ref(), found[1].Ref(), u.Ref())
		return nil
	case same != nil:
		d.error(r.Range, "Ambiguous auth", "The clients of this route would be known by upstream.%s, but auth.%s asks upstream.%s. Name the auth that is meant.",
			u.Ref(), same.Ref(), same.Logux.Upstream.Ref())
		return nil
	}
	a := &Auth{Kind: "logux", Name: u.Name, Logux: &LoguxAuth{Upstream: u}, Range: u.Range}
	c.Auths = append(c.Auths, a)
	return a
}

func (d *decoder) routeListener(r *Route, attr *hcl.Attribute, listeners []*Listener) {
	if attr != nil {
		_, what := d.reference(attr, "listener")
		r.Listener, _ = what.(*Listener)
		return
	}
	for _, l := range listeners {
		if l.Default {
			r.Listener = l
			return
		}
	}
	if len(listeners) > 0 {
		d.error(r.Range, "No listener", `No listener has default = true, so this route must name one, such as listener = listener.%s.`, listeners[0].Name)
	}
}

// routePaths checks the path and the further ones, and that nothing else serves them there.
func (d *decoder) routePaths(p *Plugin, r *Route, block *hcl.Block, also *hcl.Attribute, paths map[string]servedPath) {
	d.texts(also, &r.Also)
	for i, path := range append([]string{r.Path}, r.Also...) {
		at := block.LabelRanges[0]
		if i > 0 {
			at = elementRange(also.Expr, i-1)
		}
		if why := badPath(path); why != "" {
			d.error(at, "Invalid path", "%q cannot be served: %s", path, why)
			continue
		}
		if r.Listener == nil {
			continue
		}
		key := r.Listener.Name + " " + path
		if first, ok := paths[key]; ok {
			d.error(at, "Duplicate path", "Plugin %q serves %q on the listener %q already, at %s.",
				first.plugin, path, r.Listener.Name, place(first.at))
			continue
		}
		paths[key] = servedPath{plugin: p.Label, at: at}
	}
}

// elementRange is where the n-th element of a list is written.
func elementRange(list hcl.Expression, n int) hcl.Range {
	if elements, diags := hcl.ExprList(list); !diags.HasErrors() && n < len(elements) {
		return elements[n].Range()
	}
	return list.Range()
}

// badPath says what is wrong with a path, for an operator; empty means nothing.
func badPath(path string) string {
	switch {
	case path == "/*":
		return ""
	case !strings.HasPrefix(path, "/"):
		return `a path begins with "/".`
	case strings.Contains(path, "*"):
		return `"*" stands only in "/*", which takes what no other route does. A path that ends in "/" also serves everything below it.`
	case strings.Contains(path, "//"):
		return "it has two slashes in a row."
	case strings.ContainsAny(path, "?#"):
		return `a path has no "?" and no "#" in it.`
	case strings.Contains(path, "%"):
		return "a path is written decoded, without escapes."
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return `"." and ".." are no parts of a path.`
		}
	}
	if strings.ContainsFunc(path, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError || strings.ContainsRune("\"<>\\^`{|}", r)
	}) {
		return "it has a character that no path has."
	}
	return ""
}

func (d *decoder) channels(attr *hcl.Attribute) *expr.Expr {
	e, diags := expr.New(attr.Expr, d.src.file.Bytes, channelRoots)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	if len(e.Roots()) == 0 {
		if _, err := e.Channels(nil); err != nil {
			d.error(attr.Expr.Range(), "Invalid channel", "%s.", err)
		}
	}
	return e
}
