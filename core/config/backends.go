package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/redact"
)

// Defaults of backends.
const (
	defaultVersion        = 4
	defaultConnectTimeout = 2 * time.Second
	defaultTimeout        = 10 * time.Second
	defaultIdleTimeout    = 30 * time.Second
	defaultMaxConnections = 64
)

const maxConnections = 1 << 16

// kind returns what is declared of a block by its first label; nil for an unknown one, which makes
// the block one that is broken.
func (d *decoder) kind(block *hcl.Block, of *BlockSpec) *BlockSpec {
	kind := block.Labels[0]
	if s := of.kind(kind); s != nil {
		return s
	}
	d.error(block.LabelRanges[0], "Unknown kind", "There is no %s of kind %q.%s", block.Type, kind, suggest(kind, of.kinds(), "Kinds"))
	d.define(strings.Join(append([]string{block.Type}, block.Labels...), "."), nil, block)
	return nil
}

// auth returns nil for a block that cannot be referred to.
func (d *decoder) auth(block *hcl.Block) *Auth {
	s := d.kind(block, authSpec)
	if s == nil {
		return nil
	}
	a := &Auth{Kind: block.Labels[0], Name: block.Labels[1], Range: block.DefRange}
	d.define("auth."+a.Ref(), a, block)
	in := d.content(block.Body, s)
	switch a.Kind {
	case "static":
		a.Static = d.staticAuth(in)
	case "basic":
		a.Basic = d.basicAuth(in.Attributes["users"])
	case "jwt":
		a.JWT = d.jwtAuth(in, block)
	case "http":
		a.HTTP = d.httpBackend(in)
	case "logux":
		a.Logux = &LoguxAuth{Upstream: d.upstreamOf(in.Attributes["upstream"], "logux")}
	}
	return a
}

func (d *decoder) staticAuth(in *hcl.BodyContent) *StaticAuth {
	a := &StaticAuth{}
	attr := in.Attributes["tokens"]
	tokens, users, ok := d.table(attr, `{ good-token = "38" }`, true)
	if !ok {
		return a
	}
	if len(tokens) == 0 {
		d.error(attr.Expr.Range(), "Empty table", `"tokens" is empty, so that nobody could log in.`)
	}
	for i, token := range tokens {
		if token == "" || users[i] == "" {
			d.error(attr.Expr.Range(), "Invalid value", `"tokens" needs a token and a user id in each row; one of them is empty.`)
			continue
		}
		a.Tokens = append(a.Tokens, StaticToken{Token: redact.Secret(token), UserID: users[i]})
	}
	return a
}

// upstream returns nil for a block that cannot be referred to.
func (d *decoder) upstream(block *hcl.Block) *Upstream {
	s := d.kind(block, upstreamSpec)
	if s == nil {
		return nil
	}
	u := &Upstream{Kind: block.Labels[0], Name: block.Labels[1], Range: block.DefRange}
	d.define("upstream."+u.Ref(), u, block)
	in := d.content(block.Body, s)
	switch u.Kind {
	case "logux":
		u.Logux = d.loguxUpstream(in.Attributes)
	case "logux_server":
		u.LoguxServer = d.loguxServer(in.Attributes)
	case "http":
		u.HTTP = d.httpBackend(in)
	}
	return u
}

func (d *decoder) loguxUpstream(at hcl.Attributes) *LoguxUpstream {
	u := &LoguxUpstream{
		Version: defaultVersion, ConnectTimeout: defaultConnectTimeout, Timeout: defaultTimeout,
		IdleTimeout: defaultIdleTimeout, MaxConnections: defaultMaxConnections, Batch: 1,
	}
	exposed := d.url(at["url"], &u.URL)
	u.Secrets = d.secrets(at["secret"], exposed)
	d.int(at["version"], 1, 4, &u.Version)
	d.duration(at["connect_timeout"], time.Millisecond, &u.ConnectTimeout)
	d.duration(at["timeout"], time.Millisecond, &u.Timeout)
	d.duration(at["idle_timeout"], time.Millisecond, &u.IdleTimeout)
	d.int(at["max_connections"], 1, maxConnections, &u.MaxConnections)
	d.int(at["batch"], 1, 1<<10, &u.Batch)
	return u
}

func (d *decoder) loguxServer(at hcl.Attributes) *LoguxServer {
	u := &LoguxServer{Version: defaultVersion, ConnectTimeout: defaultConnectTimeout, Timeout: defaultTimeout}
	exposed := d.url(at["url"], &u.URL)
	u.Secrets = d.secrets(at["secret"], exposed)
	d.int(at["version"], 1, 4, &u.Version)
	d.patterns(at["mirror"], &u.Mirror)
	d.duration(at["connect_timeout"], time.Millisecond, &u.ConnectTimeout)
	d.duration(at["timeout"], time.Millisecond, &u.Timeout)
	return u
}

func (d *decoder) httpBackend(in *hcl.BodyContent) *HTTPBackend {
	b := &HTTPBackend{ConnectTimeout: defaultConnectTimeout, Timeout: defaultTimeout, MaxConnections: defaultMaxConnections}
	at := in.Attributes
	exposed := d.url(at["url"], &b.URL)
	b.Secrets = d.secrets(at["secret"], exposed)
	d.duration(at["connect_timeout"], time.Millisecond, &b.ConnectTimeout)
	d.duration(at["timeout"], time.Millisecond, &b.Timeout)
	d.int(at["max_connections"], 1, maxConnections, &b.MaxConnections)
	return b
}

// upstreamOf resolves a reference to an upstream of one kind.
func (d *decoder) upstreamOf(attr *hcl.Attribute, kind string) *Upstream {
	ref, what := d.reference(attr, "upstream")
	u, _ := what.(*Upstream)
	if u == nil || u.Kind == kind {
		return u
	}
	text := fmt.Sprintf("%q needs an upstream %q; %s is something else.", attr.Name, kind, ref)
	if known := d.known("upstream." + kind); len(known) > 0 {
		text += " There are: " + strings.Join(known, ", ") + "."
	}
	d.error(attr.Expr.Range(), "Wrong kind", "%s", text)
	return nil
}

// url takes an http or https address and reports whether it lies beyond this machine.
func (d *decoder) url(attr *hcl.Attribute, into *string) (beyond bool) {
	if !d.text(attr, into) {
		return false
	}
	u, err := url.Parse(*into)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		d.error(attr.Expr.Range(), "Invalid URL", `%q needs an http or https address, such as %s.`, attr.Name, d.example(attr, `"http://127.0.0.1:3000/"`))
	case u.User != nil:
		d.error(attr.Expr.Range(), "Invalid URL", `%q must not hold a user or a password.`, attr.Name)
	case u.Fragment != "":
		d.error(attr.Expr.Range(), "Invalid URL", `%q must not have a part behind "#".`, attr.Name)
	default:
		return !loopback(u.Hostname())
	}
	return false
}
