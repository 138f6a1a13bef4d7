package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/nearest"
	"github.com/protocol-bridge/bridge/internal/redact"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// fields are those that a plugin described.
type fields struct {
	plugin, route []*pluginv1.Field
}

// Resolve checks the plugin's own blocks, and what its routes need, against what the plugin
// described. It returns what the plugin is to be configured with, without capabilities and node,
// which the host knows; nil when the Diagnostics have errors. The request holds secrets in the
// clear and must not be logged.
//
// It sets Auth, LocalOnly and Token of the routes; from a second call on, with the same description,
// it changes nothing, so that they may be read meanwhile. It is not safe for concurrent use on one
// Plugin.
func (p *Plugin) Resolve(described *pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, *Diagnostics) {
	p.fields = fields{plugin: described.GetConfig(), route: described.GetRouteConfig()}
	d := newDecoder(p.src)
	var secret []hcl.Range
	exposed := slices.ContainsFunc(p.Routes, func(r *Route) bool { return r.Listener.exposed() })

	b := &configBlock{d: d, block: p.config, plugin: p, fields: p.fields.plugin, at: p.Range, exposed: exposed}
	request := &pluginv1.ConfigureRequest{Label: p.Label, Config: b.json()}
	secret = append(secret, b.secret...)
	for _, r := range p.Routes {
		role := d.role(p, r, described.GetRoles())
		d.clients(r, role)
		b := &configBlock{
			d: d, block: r.config, plugin: p, route: r, fields: p.fields.route, at: r.Range, exposed: r.Listener.exposed(),
		}
		route := &pluginv1.RouteConfig{Id: r.ID, Path: r.Path, Role: r.Role, Config: b.json(), Auth: r.Auth != nil}
		d.token(r, role, p.fields.route)
		if r.Upstream != nil {
			route.Upstream = r.Upstream.Kind
		}
		if r.Push != nil {
			route.Push = r.Push.Kind
		}
		request.Routes = append(request.Routes, route)
		secret = append(secret, b.secret...)
	}
	found := p.src.diagnostics(d.diags, secret)
	if found.HasErrors() {
		return nil, found
	}
	return request, found
}

// configBlock is a plugin's own block, or one of a route, with the fields that the plugin described.
type configBlock struct {
	d       *decoder
	block   *hcl.Block // nil: absent
	plugin  *Plugin
	route   *Route // nil: the plugin-wide block
	fields  []*pluginv1.Field
	at      hcl.Range // what to point at when the block is absent
	exposed bool      // others than this machine can connect
	secret  []hcl.Range
}

func (b *configBlock) what() string {
	if b.route == nil {
		return fmt.Sprintf("the config of plugin %q", b.plugin.Label)
	}
	return fmt.Sprintf("the config of a route of plugin %q", b.plugin.Label)
}

// json returns the values as a JSON object with a member for each field, sorted.
func (b *configBlock) json() []byte {
	s := &BlockSpec{Type: "config", title: b.what()}
	for _, f := range b.fields {
		if s.attr(f.GetName()) == nil {
			s.Attrs = append(s.Attrs, AttrSpec{Name: f.GetName(), Example: f.GetExample()})
		}
	}
	var attrs hcl.Attributes
	if b.block != nil {
		attrs = b.d.content(b.block.Body, s).Attributes
		b.maskSlips()
		b.at = b.block.DefRange
	}
	values := make(map[string]json.RawMessage, len(b.fields))
	for _, f := range b.fields {
		attr := attrs[f.GetName()]
		if attr == nil {
			if values[f.GetName()] = b.fromUpstream(f); values[f.GetName()] == nil {
				values[f.GetName()] = b.absent(f)
			}
			continue
		}
		if f.GetSecret() {
			b.secret = append(b.secret, attr.Expr.Range())
		}
		value := b.d.field(f, attr, b.exposed)
		if value == nil {
			continue // reported
		}
		raw, err := json.Marshal(value)
		if err != nil {
			b.d.error(attr.Expr.Range(), "Invalid value", "%q cannot be handed to the plugin.", attr.Name)
			continue
		}
		values[f.GetName()] = raw
	}
	out, err := json.Marshal(values)
	if err != nil {
		b.d.error(b.at, "Plugin not usable", "A default that plugin %q describes is not JSON: this is a fault of the plugin.", b.plugin.Label)
	}
	return out
}

// maskSlips has the values of attributes starred whose name may be a slip for that of a secret.
func (b *configBlock) maskSlips() {
	var secret []string
	for _, f := range b.fields {
		if f.GetSecret() {
			secret = append(secret, f.GetName())
		}
	}
	attrs, _ := b.block.Body.JustAttributes()
	for name, attr := range attrs {
		if nearest.Name(name, secret) != "" {
			b.secret = append(b.secret, attr.Expr.Range())
		}
	}
}

// fromUpstream is the value of a secret that is the route's upstream's by default; nil where that has none.
func (b *configBlock) fromUpstream(f *pluginv1.Field) json.RawMessage {
	if f.GetDefaultFrom() != "upstream.secret" || b.route == nil || b.route.Upstream == nil {
		return nil
	}
	u := b.route.Upstream
	var secrets []redact.Secret
	switch {
	case u.Logux != nil:
		secrets = u.Logux.Secrets
	case u.LoguxServer != nil:
		secrets = u.LoguxServer.Secrets
	}
	if len(secrets) == 0 {
		return nil
	}
	list := make([]string, 0, len(secrets))
	for _, s := range secrets {
		if b.exposed && WeakSecret(s.Reveal()) {
			b.d.error(b.at, "Weak secret", "%q is that of upstream.%s, a word that everybody tries first, and others than this machine reach the route. Make up one that is long and random: openssl rand -base64 48.", f.GetName(), u.Ref())
			return nil
		}
		list = append(list, s.Reveal())
	}
	var value any = list[0]
	if f.GetType() == pluginv1.FieldType_FIELD_TYPE_STRING_LIST {
		value = list
	}
	raw, _ := json.Marshal(value) // of texts alone: it does not fail
	return raw
}

func (b *configBlock) absent(f *pluginv1.Field) json.RawMessage {
	if f.GetRequired() {
		a := AttrSpec{Name: f.GetName(), Doc: f.GetDoc(), Example: f.GetExample()}
		b.d.error(b.at, "Missing required argument", "%s", a.missing(b.what()))
	}
	if f.GetDefaultJson() == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(f.GetDefaultJson())
}

// Complaints makes diagnostics of what the plugin said about the values that [Plugin.Resolve] made,
// each pointing at where the value was written. Resolve must have been called.
func (p *Plugin) Complaints(list []*pluginv1.Complaint) *Diagnostics {
	d := newDecoder(p.src)
	var secret []hcl.Range
	for _, c := range list {
		block, at, described := p.config, p.Range, p.fields.plugin
		for _, r := range p.Routes {
			if c.GetRoute() != "" && r.ID == c.GetRoute() {
				block, at, described = r.config, r.Range, p.fields.route
			}
		}
		if block != nil {
			at = block.DefRange
			if attr := attribute(block.Body, c.GetAttribute()); attr != nil {
				at = attr.Expr.Range()
				if slices.ContainsFunc(described, func(f *pluginv1.Field) bool { return f.GetSecret() && f.GetName() == attr.Name }) {
					secret = append(secret, at)
				}
			}
		}
		text := c.GetText()
		if c.GetAttribute() != "" && !strings.Contains(text, c.GetAttribute()) {
			text = fmt.Sprintf("%q: %s", c.GetAttribute(), text)
		}
		d.error(at, fmt.Sprintf("Refused by plugin %q", p.Label), "%s", text)
	}
	return p.src.diagnostics(d.diags, secret)
}

func attribute(body hcl.Body, name string) *hcl.Attribute {
	content, _, _ := body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: name}}})
	return content.Attributes[name]
}
