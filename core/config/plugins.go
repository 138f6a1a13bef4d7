package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
)

// channelRoots are the variables of a route's `channels`.
var channelRoots = []string{"user", "claims", "request", "session"}

var (
	labelPattern  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	sha256Pattern = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	envPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// servedPath is where a path of a listener was written first.
type servedPath struct {
	plugin string
	at     hcl.Range
}

func (d *decoder) plugin(block *hcl.Block, listeners []*Listener, labels map[string]hcl.Range, paths map[string]servedPath) *Plugin {
	p := &Plugin{
		Label: block.Labels[0], Type: block.Labels[0], EventTimeout: defaultEventTimeout, Range: block.DefRange, src: d.src,
	}
	if !labelPattern.MatchString(p.Label) {
		d.error(block.LabelRanges[0], "Invalid name",
			`The label of a plugin is made of lower-case letters, digits, "_" and "-", and begins with a letter.`)
	}
	if first, ok := labels[p.Label]; ok {
		d.error(block.DefRange, "Duplicate block",
			"There is a plugin %q already, at %s. To have two of a kind give them different labels and the same \"type\".", p.Label, place(first))
	} else {
		labels[p.Label] = block.DefRange
	}
	in := d.content(block.Body, shape{
		what:     "a plugin block",
		optional: []string{"type", "command", "sha256", "env", "mtls", "event_timeout", "standby"},
		blocks:   []hcl.BlockHeaderSchema{{Type: "config"}, {Type: "route", LabelNames: []string{"path"}}},
	})
	at := in.Attributes
	if d.text(at["type"], &p.Type) && !labelPattern.MatchString(p.Type) {
		d.error(at["type"].Expr.Range(), "Invalid name", `"type" is the name of a plugin: lower-case letters, digits, "_" and "-".`)
	}
	d.process(p, at)
	p.MTLS = len(p.Command) > 0
	d.bool(at["mtls"], &p.MTLS)
	d.bool(at["standby"], &p.Standby)
	d.duration(at["event_timeout"], 10*time.Millisecond, &p.EventTimeout)
	p.config = d.single(in, "config")
	for _, b := range in.Blocks.OfType("route") {
		p.Routes = append(p.Routes, d.route(p, b, listeners, paths))
	}
	return p
}

// process reads how an external plugin is started.
func (d *decoder) process(p *Plugin, at hcl.Attributes) {
	if d.texts(at["command"], &p.Command) {
		switch {
		case len(p.Command) == 0 || p.Command[0] == "":
			d.error(at["command"].Expr.Range(), "Invalid value", `"command" needs a program, such as ["/opt/my-plugin"].`)
			p.Command = nil
		case strings.ContainsAny(p.Command[0], `/\`) && !filepath.IsAbs(p.Command[0]):
			p.Command[0] = filepath.Join(d.src.dir, p.Command[0])
		}
	}
	if attr := at["sha256"]; d.text(attr, &p.SHA256) {
		switch {
		case !sha256Pattern.MatchString(p.SHA256):
			d.error(attr.Expr.Range(), "Invalid value", `"sha256" needs the 64 hexadecimal digits that sha256sum prints for the program.`)
		case at["command"] == nil:
			d.error(attr.NameRange, "Missing command", `"sha256" is about the program of an external plugin: it needs "command".`)
		}
		p.SHA256 = strings.ToLower(p.SHA256)
	}
	names, values, ok := d.table(at["env"], `{ REDIS_URL = "redis://127.0.0.1" }`, false)
	if !ok {
		return
	}
	p.Env = make(map[string]string, len(names))
	for i, name := range names {
		if !envPattern.MatchString(name) || strings.ContainsRune(values[i], 0) {
			d.error(at["env"].Expr.Range(), "Invalid value", "%q cannot be set in an environment.", name)
		}
		p.Env[name] = values[i]
	}
}

func (d *decoder) route(p *Plugin, block *hcl.Block, listeners []*Listener, paths map[string]servedPath) *Route {
	r := &Route{Path: block.Labels[0], Range: block.DefRange}
	in := d.content(block.Body, shape{
		what:     "a route block",
		optional: []string{"role", "also", "listener", "auth", "upstream", "channels"},
		blocks:   []hcl.BlockHeaderSchema{{Type: "limits"}, {Type: "config"}},
		later:    []string{"push"},
	})
	at := in.Attributes
	r.roleAttr = at["role"]
	d.text(r.roleAttr, &r.Role)
	d.routeListener(r, at["listener"], listeners)
	d.routePaths(p, r, block, at["also"], paths)
	if r.Listener != nil {
		r.ID = strings.Join([]string{p.Label, r.Listener.Name, r.Path}, ":")
	}

	ref, what := d.reference(at["auth"], "auth")
	r.Auth, _ = what.(*Auth)
	r.AuthNone = ref == "auth.none"
	if r.Auth != nil && r.Auth.Kind == "static" && r.Listener != nil && r.Listener.Address != "" && !r.Listener.Loopback() {
		d.error(at["auth"].Expr.Range(), "Static tokens beyond loopback",
			"The tokens of %s stand in a file, for development on one machine; the listener %q at %s is open to others.",
			ref, r.Listener.Name, r.Listener.Address)
	}
	_, what = d.reference(at["upstream"], "upstream")
	r.Upstream, _ = what.(*Upstream)

	if attr := at["channels"]; attr != nil {
		r.Channels = d.channels(attr)
	}
	if b := d.single(in, "limits"); b != nil {
		limits := d.content(b.Body, shape{
			what: "a limits block", optional: []string{"max_frame", "max_binary"}, later: []string{"rate", "max_sessions"},
		})
		d.size(limits.Attributes["max_frame"], &r.Limits.MaxFrame)
		d.size(limits.Attributes["max_binary"], &r.Limits.MaxBinary)
	}
	r.config = d.single(in, "config")
	return r
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
