package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/nearest"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// Defaults of a Logux upstream.
const (
	defaultVersion        = 4
	defaultConnectTimeout = 2 * time.Second
	defaultTimeout        = 10 * time.Second
	defaultIdleTimeout    = 30 * time.Second
	defaultMaxConnections = 64
)

var (
	authKinds          = []string{"static"}
	authKindsLater     = []string{"basic", "jwt", "http", "logux"}
	upstreamKinds      = []string{"logux", "dev"}
	upstreamKindsLater = []string{"http", "logux_server"}
)

// kind checks the first label of a block; what is wrong makes the block one that is broken.
func (d *decoder) kind(block *hcl.Block, known, later []string) bool {
	kind, at := block.Labels[0], block.LabelRanges[0]
	switch {
	case slices.Contains(known, kind):
		return true
	case slices.Contains(later, kind):
		d.notYet(at, fmt.Sprintf("%s %q", block.Type, kind))
	default:
		d.error(at, "Unknown kind", "There is no %s of kind %q.%s", block.Type, kind,
			suggest(kind, append(slices.Clone(known), later...), "Kinds"))
	}
	d.define(strings.Join(append([]string{block.Type}, block.Labels...), "."), nil, block)
	return false
}

// suggest ends a text about an unknown name: with the nearest of the known ones, or with all.
func suggest(name string, known []string, list string) string {
	if n := nearest.Name(name, known); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	if len(known) == 0 {
		return ""
	}
	return fmt.Sprintf(" %s: %s.", list, strings.Join(known, ", "))
}

// auth returns nil for a block that cannot be referred to.
func (d *decoder) auth(block *hcl.Block) *Auth {
	if !d.kind(block, authKinds, authKindsLater) {
		return nil
	}
	a := &Auth{Kind: block.Labels[0], Name: block.Labels[1], Static: &StaticAuth{}, Range: block.DefRange}
	d.define("auth."+a.Ref(), a, block)
	in := d.content(block.Body, shape{what: "an auth \"static\" block", required: []string{"tokens"}})
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
		a.Static.Tokens = append(a.Static.Tokens, StaticToken{Token: redact.Secret(token), UserID: users[i]})
	}
	return a
}

// upstream returns nil for a block that cannot be referred to.
func (d *decoder) upstream(block *hcl.Block) *Upstream {
	if !d.kind(block, upstreamKinds, upstreamKindsLater) {
		return nil
	}
	u := &Upstream{Kind: block.Labels[0], Name: block.Labels[1], Range: block.DefRange}
	d.define("upstream."+u.Ref(), u, block)
	if u.Kind == "dev" {
		d.content(block.Body, shape{what: `an upstream "dev" block`})
		return u
	}
	u.Logux = d.loguxUpstream(block)
	return u
}

func (d *decoder) loguxUpstream(block *hcl.Block) *LoguxUpstream {
	u := &LoguxUpstream{
		Version: defaultVersion, ConnectTimeout: defaultConnectTimeout, Timeout: defaultTimeout,
		IdleTimeout: defaultIdleTimeout, MaxConnections: defaultMaxConnections, Batch: 1,
	}
	in := d.content(block.Body, shape{
		what: `an upstream "logux" block`, required: []string{"url", "secret"},
		optional: []string{"version", "connect_timeout", "timeout", "idle_timeout", "max_connections", "batch"},
	})
	at := in.Attributes
	exposed := d.url(at["url"], &u.URL)
	u.Secrets = d.secrets(at["secret"], exposed)
	d.int(at["version"], 1, 4, &u.Version)
	d.duration(at["connect_timeout"], time.Millisecond, &u.ConnectTimeout)
	d.duration(at["timeout"], time.Millisecond, &u.Timeout)
	d.duration(at["idle_timeout"], time.Millisecond, &u.IdleTimeout)
	d.int(at["max_connections"], 1, 1<<16, &u.MaxConnections)
	d.int(at["batch"], 1, 1<<10, &u.Batch)
	return u
}

// url takes an http or https address and reports whether it lies beyond this machine.
func (d *decoder) url(attr *hcl.Attribute, into *string) (beyond bool) {
	if !d.text(attr, into) {
		return false
	}
	u, err := url.Parse(*into)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		d.error(attr.Expr.Range(), "Invalid URL", `%q needs an address such as "http://127.0.0.1:3000/logux".`, attr.Name)
	case u.User != nil:
		d.error(attr.Expr.Range(), "Invalid URL", `%q must not hold a user or a password.`, attr.Name)
	case u.Fragment != "":
		d.error(attr.Expr.Range(), "Invalid URL", `%q must not have a part behind "#".`, attr.Name)
	default:
		return !loopback(u.Hostname())
	}
	return false
}
