package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// tokenRoots are the variables of a `token` that is evaluated at the handshake.
var tokenRoots = []string{"request"}

// role finds what a route is for; nil when the plugin has no such role, which is reported.
func (d *decoder) role(p *Plugin, r *Route, roles []*pluginv1.Role) *pluginv1.Role {
	if len(roles) == 0 {
		roles = []*pluginv1.Role{{}}
	}
	var names, lines []string
	for _, role := range roles {
		if role.GetName() == r.Role {
			return role
		}
		if name := role.GetName(); name != "" {
			names = append(names, name)
			lines = append(lines, fmt.Sprintf("%q (%s)", name, role.GetDoc()))
		}
	}
	switch {
	case r.roleAttr == nil:
		d.error(r.Range, "Missing role", "A route of plugin %q needs a role, one of: %s.", p.Label, strings.Join(lines, ", "))
	case len(names) == 0:
		d.error(r.roleAttr.Expr.Range(), "Unknown role", "Plugin %q has no roles. Leave \"role\" out.", p.Label)
	default:
		d.error(r.roleAttr.Expr.Range(), "Unknown role", "Plugin %q has no role %q.%s", p.Label, r.Role, suggest(r.Role, names, "Roles"))
	}
	return nil
}

// clients checks whether the clients of a route are known to somebody, and that what it serves goes
// with its listener.
func (d *decoder) clients(r *Route, role *pluginv1.Role) {
	if role == nil {
		return
	}
	own, handshake := role.GetAuth() == pluginv1.Auth_AUTH_OWN, role.GetAuth() == pluginv1.Auth_AUTH_HANDSHAKE
	if r.authAttr == nil {
		want := r.byUpstream
		if own {
			want = nil
		}
		set(&r.Auth, want)
	}
	unknown := r.Auth == nil && !r.AuthNone && !own
	set(&r.LocalOnly, unknown && !r.Listener.exposed())
	switch {
	case r.LocalOnly:
		d.warn(r.Range, "Route without auth",
			"Everybody on this machine can connect. Add auth = auth.none if that is meant; beyond loopback the route needs \"auth\".")
	case unknown && handshake:
		d.error(r.Range, "Route without auth", `%s, and nobody says who may use this route. Add "auth", such as auth = auth.basic.ops, or put the route on a listener at loopback without trusted_proxies.`, r.Listener.reach())
	case unknown:
		d.error(r.Range, "Route without auth", `%s, and nobody says who they are. Add "auth", or auth = auth.none for everybody.`, r.Listener.reach())
	case r.AuthNone && handshake && !role.GetOpen() && r.Listener.exposed():
		d.error(r.authAttr.Expr.Range(), "Open to everybody", `%s, and with auth.none whoever comes may use this route. Name an auth, such as auth.basic.ops, or put the route on a listener at loopback without trusted_proxies.`, r.Listener.reach())
	}
	if r.Listener.Framing != "lines" {
		return
	}
	if !slices.Contains(role.GetTransports(), pluginv1.Transport_TRANSPORT_TCP) {
		d.error(r.Range, "No raw TCP", "The listener %q takes raw TCP, which the plugin does not serve here.", r.Listener.Name)
	}
	if handshake && r.Auth != nil {
		d.error(r.Range, "No handshake on raw TCP", "The plugin has clients show who they are before the first message, which those of the listener %q cannot. Take \"auth\" out, or use a listener without framing.", r.Listener.Name)
	}
}

// set writes only what changes, for those who read meanwhile.
func set[T comparable](into *T, value T) {
	if *into != value {
		*into = value
	}
}

// token makes the route's Token of the field of that name, where clients authenticate at the
// handshake. A default over other variables is meant for other roles.
func (d *decoder) token(r *Route, role *pluginv1.Role, described []*pluginv1.Field) {
	i := slices.IndexFunc(described, func(f *pluginv1.Field) bool {
		return f.GetName() == "token" && f.GetType() == pluginv1.FieldType_FIELD_TYPE_EXPRESSION
	})
	if i < 0 || role.GetAuth() != pluginv1.Auth_AUTH_HANDSHAKE {
		set(&r.Token, nil)
		return
	}
	token := defaultToken(described[i])
	if r.config != nil {
		if attr := attribute(r.config.Body, "token"); attr != nil {
			token = d.writtenToken(attr)
		}
	}
	if token == nil || r.Token == nil || token.Source() != r.Token.Source() {
		set(&r.Token, token)
	}
}

func defaultToken(f *pluginv1.Field) *expr.Expr {
	var source string
	if json.Unmarshal([]byte(f.GetDefaultJson()), &source) != nil || source == "" || source == "null" {
		return nil
	}
	e, _ := expr.Parse([]byte(source), "default", hcl.InitialPos, tokenRoots)
	return e
}

// writtenToken returns nil for null. What is wrong with the expression itself is reported with the
// other fields.
func (d *decoder) writtenToken(attr *hcl.Attribute) *expr.Expr {
	e, diags := expr.New(attr.Expr, d.src.file.Bytes, pluginRoots)
	if diags.HasErrors() {
		return nil
	}
	for _, root := range e.Roots() {
		if !slices.Contains(tokenRoots, root) {
			d.error(attr.Expr.Range(), "Not known yet",
				`"token" is evaluated at the handshake, before there is a session: only "request" is known then, not %q. Example: token = request.query.token`, root)
			return nil
		}
	}
	if v, diags := attr.Expr.Value(nil); !diags.HasErrors() && v.IsNull() {
		return nil
	}
	e, _ = expr.New(attr.Expr, d.src.file.Bytes, tokenRoots)
	return e
}
