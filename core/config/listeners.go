package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

func (d *decoder) listener(block *hcl.Block, addresses *taken) *Listener {
	l := &Listener{Name: block.Labels[0], Range: block.DefRange}
	d.define("listener."+l.Name, l, block)
	in := d.content(block.Body, listenerSpec)
	at := in.Attributes
	if d.address(at["address"], &l.Address) {
		addresses.own(d, l.Address, at["address"])
	}
	d.bool(at["default"], &l.Default)
	d.origins(at["origins"], &l.Origins)
	d.prefixes(at["trusted_proxies"], &l.TrustedProxies)
	for _, p := range l.TrustedProxies {
		if p.Bits() == 0 {
			d.warn(at["trusted_proxies"].Expr.Range(), "Everybody is trusted",
				"%s is every address: whoever connects can say where the request comes from. Name the networks of the proxies.", p)
		}
	}
	d.int(at["max_connections"], 1, mostSessions, &l.MaxConnections)
	d.int(at["max_per_address"], 1, mostSessions, &l.MaxPerAddress)
	d.bool(at["proxy_protocol"], &l.ProxyProtocol)
	if l.ProxyProtocol && at["trusted_proxies"] == nil {
		d.error(at["proxy_protocol"].NameRange, "PROXY protocol without proxies",
			`With "proxy_protocol" only the proxies named in "trusted_proxies" can connect, and there are none. Example: trusted_proxies = ["10.0.0.0/8"]`)
	}
	d.bool(at["compression"], &l.Compression)
	if d.choice(at["framing"], []string{"lines"}, &l.Framing) {
		for _, name := range []string{"origins", "trusted_proxies", "compression"} {
			if at[name] != nil && (name != "trusted_proxies" || !l.ProxyProtocol) {
				d.error(at[name].NameRange, "Not for raw TCP", `A listener with framing = "lines" knows no HTTP headers, so %q would do nothing. Take it out.`, name)
			}
		}
	}
	l.TLS = d.tls(in)
	return l
}

func (d *decoder) tls(in *hcl.BodyContent) *TLS {
	block := d.single(in, "tls")
	if block == nil {
		return nil
	}
	t := &TLS{}
	at := d.content(block.Body, tlsSpec).Attributes
	d.readable(at["cert_file"], &t.CertFile)
	d.readable(at["key_file"], &t.KeyFile)
	return t
}

func (d *decoder) defaultListener(listeners []*Listener) {
	var first *Listener
	for _, l := range listeners {
		if !l.Default {
			continue
		}
		if first != nil {
			d.error(l.Range, "Two default listeners", "The listener %q is the default already, at %s.", first.Name, place(first.Range))
		}
		first = l
	}
	if len(listeners) == 1 {
		listeners[0].Default = true
	}
}

// lines checks that what raw TCP serves can be told without a path.
func (d *decoder) lines(c *Config) {
	for _, l := range c.Listeners {
		if l.Framing != "lines" {
			continue
		}
		var served []*Route
		for _, p := range c.Plugins {
			for _, r := range p.Routes {
				if r.Listener == l {
					served = append(served, r)
				}
			}
		}
		if len(served) == 0 {
			d.error(l.Range, "Nothing to serve", `No route is on this listener. One needs listener = listener.%s and the path "/".`, l.Name)
			continue
		}
		for i, r := range served {
			switch {
			case i > 0:
				d.error(r.Range, "Two routes for raw TCP", `The listener %q has no paths to tell routes by, and serves the one at %s already.`, l.Name, place(served[0].Range))
			case r.Path != "/" || len(r.Also) > 0:
				d.error(r.Range, "Path on raw TCP", `The listener %q has no paths. Its route is written route "/", without "also".`, l.Name)
			}
		}
	}
}

func (d *decoder) admin(block *hcl.Block, addresses *taken) *Admin {
	a := &Admin{Range: block.DefRange}
	at := d.content(block.Body, adminSpec).Attributes
	located := d.address(at["address"], &a.Address)
	if located {
		addresses.own(d, a.Address, at["address"])
	}
	ref, what := d.reference(at["auth"], "auth")
	a.Auth, _ = what.(*Auth)
	switch {
	case a.Auth != nil && a.Auth.Kind != "basic":
		d.error(at["auth"].Expr.Range(), "Wrong kind", `The admin address takes names and passwords: "auth" needs an auth "basic"; %s is something else.`, ref)
	case ref == "auth.none":
		d.error(at["auth"].Expr.Range(), "Admin address without auth", `On loopback "auth" may be left out; beyond it the admin address needs one, such as auth.basic.ops.`)
	case at["auth"] == nil && located && !loopback(a.Address):
		d.error(at["address"].Expr.Range(), "Admin address beyond loopback",
			`Everybody who reaches this address could close sessions and publish. Add "auth", such as auth = auth.basic.ops, or use a loopback address such as "127.0.0.1:6780".`)
	}
	return a
}

// choice takes one of a few texts.
func (d *decoder) choice(attr *hcl.Attribute, allowed []string, into *string) bool {
	var s string
	if !d.text(attr, &s) {
		return false
	}
	if !slices.Contains(allowed, s) {
		list := "It is one of"
		if len(allowed) == 1 {
			list = "It can only be"
		}
		d.error(attr.Expr.Range(), "Invalid value", "%q cannot be %q.%s", attr.Name, s, suggest(s, allowed, list))
		return false
	}
	*into = s
	return true
}
