package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/internal/nearest"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// userAttrs are what a user may have who is written as a table.
var userAttrs = []string{"password", "roles", "allow", "channels", "topics"}

const wantUser = `a hash in quotes, or a table such as { password = "$2y$12$…", roles = ["read"] }`

// basicAuth reads the table of users. Everything in it is starred where it is shown, so that texts
// point at a user and name nobody.
func (d *decoder) basicAuth(attr *hcl.Attribute) *BasicAuth {
	a := &BasicAuth{}
	if attr == nil {
		return a
	}
	v, ok := d.value(attr, true)
	switch {
	case !ok:
		return a
	case !v.Type().IsObjectType() && !v.Type().IsMapType():
		d.wrongType(attr, `a table of users, such as { ops = "$2y$12$…" }`, v)
		return a
	case v.LengthInt() == 0:
		d.error(attr.Expr.Range(), "Empty table", `"users" is empty, so that nobody could log in.`)
	}
	places := d.members(attr.Expr, attr.Name)
	members := v.AsValueMap()
	for _, name := range slices.Sorted(maps.Keys(members)) {
		u := userReader{d: d, value: members[name], at: places.of(name)}
		a.Users = append(a.Users, u.read(name))
	}
	return a
}

// places are where the values of a table are written, by name.
type places struct {
	whole hcl.Range
	exprs map[string]hcl.Expression
}

func (p places) of(name string) hcl.Expression {
	if e := p.exprs[name]; e != nil {
		return e
	}
	return hcl.StaticExpr(cty.NilVal, p.whole)
}

// members finds out where the values of a table of secrets are written, and that no name is there
// twice.
func (d *decoder) members(e hcl.Expression, table string) places {
	p := places{whole: e.Range(), exprs: map[string]hcl.Expression{}}
	pairs, diags := hcl.ExprMap(e)
	if diags.HasErrors() {
		return p
	}
	d.duplicateKeys(pairs, table, true)
	for _, pair := range pairs {
		if key, diags := pair.Key.Value(d.ctx); !diags.HasErrors() && key.Type() == cty.String && key.IsKnown() && !key.IsNull() {
			p.exprs[key.AsString()] = pair.Value
		}
	}
	return p
}

// userReader reads one row of `users`.
type userReader struct {
	d     *decoder
	value cty.Value
	at    hcl.Expression
}

func (r *userReader) read(name string) BasicUser {
	u := BasicUser{Name: name}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c == ':' || unicode.IsControl(c) }) {
		r.d.error(r.at.Range(), "Invalid user name", `The name of this user cannot be sent: it is empty, or has a ":" or a control character in it.`)
	}
	switch t := r.value.Type(); {
	case r.value.IsNull():
		r.d.error(r.at.Range(), "Wrong type", "A user is %s, but this is null.", wantUser)
	case t == cty.String:
		u.Hash = r.hash(r.value, r.at.Range())
	case t.IsObjectType() || t.IsMapType():
		r.table(&u)
	default:
		r.d.error(r.at.Range(), "Wrong type", "A user is %s, but this is %s.", wantUser, typeName(t))
	}
	return u
}

func (r *userReader) table(u *BasicUser) {
	d, places := r.d, r.d.members(r.at, "users")
	fields := r.value.AsValueMap()
	_, hasPassword := fields["password"]
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v, at := fields[name], places.of(name).Range()
		switch name {
		case "password":
			u.Hash = r.hash(v, at)
		case "roles":
			u.Roles = r.roles(v, at)
		case "allow":
			u.Allow = r.networks(v, at)
		case "channels":
			u.Channels = r.patterns(name, v, at)
		case "topics":
			u.Topics = r.patterns(name, v, at)
		default:
			text := fmt.Sprintf("A user has %s. This has another name.", strings.Join(userAttrs, ", "))
			if n := nearest.Name(name, userAttrs); n != "" {
				text += fmt.Sprintf(" Did you mean %q?", n)
				hasPassword = hasPassword || n == "password"
			}
			d.error(at, "Unknown attribute of a user", "%s", text)
		}
	}
	if !hasPassword {
		d.error(r.at.Range(), "Missing password", `A user needs "password", the hash of the password.%s`, makeHash)
	}
}

func (r *userReader) hash(v cty.Value, at hcl.Range) redact.Secret {
	if v.IsNull() || v.Type() != cty.String {
		r.d.error(at, "Wrong type", `"password" of a user needs a hash in quotes.%s`, makeHash)
		return ""
	}
	if summary, detail := badHash(v.AsString()); summary != "" {
		r.d.error(at, summary, "%s%s", detail, makeHash)
	}
	return redact.Secret(v.AsString())
}

// list takes the texts of a list.
func (r *userReader) list(name string, v cty.Value, at hcl.Range) ([]string, bool) {
	if !v.IsNull() {
		if list, ok := textList(v); ok {
			return list, true
		}
	}
	r.d.error(at, "Wrong type", `%q of a user needs a list of texts, such as ["a", "b"].`, name)
	return nil, false
}

func (r *userReader) roles(v cty.Value, at hcl.Range) []string {
	list, ok := r.list("roles", v, at)
	if ok && (len(list) == 0 || slices.Contains(list, "")) {
		r.d.error(at, "Invalid value", `"roles" of a user needs names of roles, such as ["read"]. Leave it out for all of them.`)
	}
	return list
}

func (r *userReader) networks(v cty.Value, at hcl.Range) []netip.Prefix {
	list, ok := r.list("allow", v, at)
	if ok && len(list) == 0 {
		r.d.error(at, "Empty list", `"allow" of a user is empty, so that the user could come from nowhere. Leave it out for everywhere.`)
	}
	prefixes := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		p, why := parsePrefix(s)
		if why != "" {
			r.d.error(at, "Invalid network", `What stands in "allow" of a user %s`, why)
			continue
		}
		prefixes = append(prefixes, p)
	}
	return prefixes
}

func (r *userReader) patterns(name string, v cty.Value, at hcl.Range) []channel.Pattern {
	list, ok := r.list(name, v, at)
	if !ok {
		return nil
	}
	patterns := make([]channel.Pattern, 0, len(list))
	for _, s := range list {
		if err := channel.CheckPattern(channel.Pattern(s)); err != nil {
			r.d.error(at, "Invalid pattern", "%q of a user holds a pattern that can match nothing: %s.", name, err)
			continue
		}
		patterns = append(patterns, channel.Pattern(s))
	}
	return patterns
}
