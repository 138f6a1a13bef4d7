package config

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Same reports whether two blocks say the same, wherever they are written. What they refer to counts
// by its name.
func (u *Upstream) Same(other *Upstream) bool {
	a, b := *u, *other
	a.Range, b.Range = hcl.Range{}, hcl.Range{}
	return reflect.DeepEqual(a, b)
}

// Same reports whether two blocks say the same, wherever they are written; nil is none.
func (c *Cluster) Same(other *Cluster) bool {
	if c == nil || other == nil {
		return c == other
	}
	a, b := *c, *other
	a.Range, b.Range = hcl.Range{}, hcl.Range{}
	return reflect.DeepEqual(a, b)
}

// Same reports whether two blocks say the same, wherever they are written. What they refer to counts
// by its name, and files by their names.
func (a *Auth) Same(other *Auth) bool {
	return reflect.DeepEqual(a.comparable(), other.comparable())
}

// comparable is what a block says without where it says it.
func (a *Auth) comparable() any {
	c := *a
	c.Range = hcl.Range{}
	var user, refers string
	if a.JWT != nil {
		j := *a.JWT
		if j.UserID != nil {
			user, j.UserID = j.UserID.Source(), nil
		}
		c.JWT = &j
	}
	if a.Logux != nil {
		refers, c.Logux = a.Logux.Upstream.Ref(), nil
	}
	return [...]any{c, user, refers}
}

// SameProcess reports whether two plugin blocks start a process in the same way: of the same kind,
// with the same program, environment and timeouts. What the program file holds is not looked at, nor
// what the plugin is configured with.
func (p *Plugin) SameProcess(other *Plugin) bool {
	return p.process() == other.process() && slices.Equal(p.Command, other.Command) && maps.Equal(p.Env, other.Env)
}

func (p *Plugin) process() any {
	return struct {
		kind, sum     string
		mtls, standby bool
		eventTimeout  time.Duration
	}{p.Type, p.SHA256, p.MTLS, p.Standby, p.EventTimeout}
}

// Same reports whether two blocks say the same; what they refer to counts by its name. nil is no block.
func (a *Admin) Same(other *Admin) bool {
	if a == nil || other == nil {
		return a == other
	}
	if (a.Auth == nil) != (other.Auth == nil) {
		return false
	}
	return a.Address == other.Address && (a.Auth == nil || a.Auth.Ref() == other.Auth.Ref())
}

// SameSocket reports whether two blocks listen in the same way at the same address, under the same
// name: what differs besides can change while connections live. Certificates count by the names of
// their files.
func (l *Listener) SameSocket(other *Listener) bool {
	return l.Name == other.Name && l.Address == other.Address && l.Framing == other.Framing &&
		l.ProxyProtocol == other.ProxyProtocol && reflect.DeepEqual(l.TLS, other.TLS)
}

// Same reports whether two blocks say the same, wherever they are written.
func (c *Channel) Same(other *Channel) bool {
	return c.Pattern == other.Pattern && reflect.DeepEqual(c.Join.names(), other.Join.names()) &&
		reflect.DeepEqual(c.Publish.names(), other.Publish.names())
}

// names are those of the peers; nil for no peers at all.
func (p *Peers) names() []string {
	if p == nil {
		return nil
	}
	names := []string{}
	for _, x := range p.Plugins {
		names = append(names, "plugin."+x.Label)
	}
	for _, x := range p.Auths {
		names = append(names, "auth."+x.Ref())
	}
	return names
}
