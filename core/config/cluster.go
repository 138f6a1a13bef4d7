package config

import (
	"net"
	"net/url"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// leased is the Node of a cluster whose nodes are given numbers.
const leased = -1

func (d *decoder) cluster(block *hcl.Block, addresses *taken) *Cluster {
	c := &Cluster{Node: leased, Range: block.DefRange}
	in := d.content(block.Body, clusterSpec)
	at := in.Attributes
	if d.filled(at["name"], &c.Name) && !namePattern.MatchString(c.Name) {
		d.error(at["name"].Expr.Range(), "Invalid name", `A name is made of letters, digits, "_" and "-" and begins with a letter.`)
	}
	if d.address(at["listen"], &c.Listen) {
		addresses.own(d, c.Listen, at["listen"])
	}
	if d.address(at["advertise"], &c.Advertise) && slices.Contains([]string{"", "0.0.0.0", "::"}, hostOf(c.Advertise)) {
		d.error(at["advertise"].Expr.Range(), "Invalid address", `Other nodes cannot connect to all addresses. "advertise" needs the one at which they reach this node.`)
	}
	d.natsURLs(at["routes"], &c.Routes)
	d.natsURLs(at["servers"], &c.Servers)
	d.clusterForm(at, block)

	exposed := c.beyond()
	c.Secrets = d.secrets(at["secret"], exposed)
	if exposed && at["secret"] == nil {
		d.error(block.DefRange, "Cluster without a secret",
			`Beyond loopback whoever reaches this node could join the cluster. Add "secret", the same on all nodes, such as secret = env("BRIDGE_CLUSTER_SECRET").`)
	}
	d.int(at["replicas"], 1, 5, &c.Replicas)
	d.int(at["node"], 0, 1023, &c.Node)
	c.TLS = d.tls(in)
	return c
}

// clusterForm checks that NATS is either embedded or external.
func (d *decoder) clusterForm(at hcl.Attributes, block *hcl.Block) {
	if at["servers"] == nil {
		if at["listen"] == nil {
			d.error(block.DefRange, "No address of the cluster",
				`Add "listen", where other nodes connect, such as listen = "10.0.0.1:6222", or "servers" of an external NATS.`)
		}
		return
	}
	for _, name := range []string{"listen", "advertise", "routes"} {
		if attr := at[name]; attr != nil {
			d.error(attr.NameRange, "Two kinds of cluster", `%q is of the embedded NATS, which "servers" turns off. Take one of them out.`, name)
		}
	}
}

// beyond reports whether other machines take part through the embedded NATS.
func (c *Cluster) beyond() bool {
	return c.Listen != "" && !loopback(c.Listen) || c.Advertise != "" && !loopback(c.Advertise) ||
		slices.ContainsFunc(c.Routes, func(s string) bool {
			u, err := url.Parse(s)
			return err == nil && !loopback(u.Hostname())
		})
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// natsURLs takes addresses of NATS servers.
func (d *decoder) natsURLs(attr *hcl.Attribute, into *[]string) {
	var list []string
	if !d.texts(attr, &list) {
		return
	}
	if len(list) == 0 {
		d.error(attr.Expr.Range(), "Empty list", `%q is empty. Leave it out, or name servers.`, attr.Name)
	}
	for i, s := range list {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" || u.Port() == "" || u.Path != "" {
			d.error(elementRange(attr.Expr, i), "Invalid URL", `%q needs addresses such as "nats://10.0.0.1:6222".`, attr.Name)
			continue
		}
		*into = append(*into, s)
	}
}
