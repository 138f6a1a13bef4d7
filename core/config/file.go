package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

var fileShape = shape{
	what:     "bridge.hcl",
	optional: []string{"data_dir"},
	blocks: []hcl.BlockHeaderSchema{
		{Type: "listener", LabelNames: []string{"name"}},
		{Type: "admin"},
		{Type: "auth", LabelNames: []string{"kind", "name"}},
		{Type: "upstream", LabelNames: []string{"kind", "name"}},
		{Type: "plugin", LabelNames: []string{"label"}},
		{Type: "shutdown"},
	},
	laterBlocks: []hcl.BlockHeaderSchema{
		{Type: "channel", LabelNames: []string{"pattern"}},
		{Type: "cluster"},
	},
}

// Defaults of what the file may leave out.
const (
	defaultDataDir         = "data"
	defaultShutdownTimeout = 30 * time.Second
	defaultEventTimeout    = 10 * time.Second
)

func (d *decoder) file() *Config {
	content := d.content(d.src.file.Body, fileShape)
	c := &Config{File: d.src.name, DataDir: defaultDataDir, Shutdown: Shutdown{Timeout: defaultShutdownTimeout}}
	if d.text(content.Attributes["data_dir"], &c.DataDir) && c.DataDir == "" {
		d.error(content.Attributes["data_dir"].Expr.Range(), "Invalid path", `"data_dir" needs the path of a folder.`)
	}
	if !filepath.IsAbs(c.DataDir) {
		c.DataDir = filepath.Join(d.src.dir, c.DataDir)
	}

	addresses := map[string]hcl.Range{}
	for _, block := range content.Blocks.OfType("listener") {
		c.Listeners = append(c.Listeners, d.listener(block, addresses))
	}
	d.defaultListener(c.Listeners)
	if block := d.single(content, "admin"); block != nil {
		c.Admin = d.admin(block, addresses)
	}
	for _, block := range content.Blocks.OfType("upstream") {
		if u := d.upstream(block); u != nil {
			c.Upstreams = append(c.Upstreams, u)
		}
	}
	for _, block := range content.Blocks.OfType("auth") {
		if a := d.auth(block); a != nil {
			c.Auths = append(c.Auths, a)
		}
	}
	labels, paths := map[string]hcl.Range{}, map[string]servedPath{}
	for _, block := range content.Blocks.OfType("plugin") {
		c.Plugins = append(c.Plugins, d.plugin(block, c.Listeners, labels, paths))
	}
	if block := d.single(content, "shutdown"); block != nil {
		in := d.content(block.Body, shape{what: "the shutdown block", optional: []string{"delay", "timeout"}})
		d.duration(in.Attributes["delay"], 0, &c.Shutdown.Delay)
		d.duration(in.Attributes["timeout"], 0, &c.Shutdown.Timeout)
	}
	if len(content.Blocks.OfType("listener")) == 0 {
		d.error(d.src.file.Body.MissingItemRange(), "No listener",
			`Nobody could connect. Add a block such as listener "public" { address = "127.0.0.1:6789" }.`)
	}
	return c
}

func (d *decoder) listener(block *hcl.Block, addresses map[string]hcl.Range) *Listener {
	l := &Listener{Name: block.Labels[0], Range: block.DefRange}
	d.define("listener."+l.Name, l, block)
	in := d.content(block.Body, shape{
		what: "a listener block", required: []string{"address"}, optional: []string{"default"},
		later: []string{"origins", "trusted_proxies", "framing"}, laterBlocks: []hcl.BlockHeaderSchema{{Type: "tls"}},
	})
	if attr := in.Attributes["address"]; d.address(attr, &l.Address) {
		d.ownAddress(l.Address, attr, addresses)
	}
	d.bool(in.Attributes["default"], &l.Default)
	return l
}

func (d *decoder) admin(block *hcl.Block, addresses map[string]hcl.Range) *Admin {
	a := &Admin{Range: block.DefRange}
	in := d.content(block.Body, shape{what: "the admin block", required: []string{"address"}, later: []string{"auth"}})
	attr := in.Attributes["address"]
	if !d.address(attr, &a.Address) {
		return a
	}
	d.ownAddress(a.Address, attr, addresses)
	if !loopback(a.Address) {
		d.error(attr.Expr.Range(), "Admin address beyond loopback",
			`Everybody who reaches this address could close sessions and publish. Use a loopback address such as "127.0.0.1:6780".`)
	}
	return a
}

// ownAddress sees to it that nothing else listens on an address.
func (d *decoder) ownAddress(address string, attr *hcl.Attribute, addresses map[string]hcl.Range) {
	if strings.HasSuffix(address, ":0") {
		return // any free port
	}
	if first, ok := addresses[address]; ok {
		d.error(attr.Expr.Range(), "Duplicate address", "This address is taken already, at %s.", place(first))
		return
	}
	addresses[address] = attr.Expr.Range()
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

var namePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// define makes a block something to refer to; what may be nil for one that is broken, which is not
// reported again where it is referred to.
func (d *decoder) define(ref string, what any, block *hcl.Block) {
	last := len(block.Labels) - 1
	if !namePattern.MatchString(block.Labels[last]) {
		d.error(block.LabelRanges[last], "Invalid name",
			"A name is made of letters, digits, \"_\" and \"-\" and begins with a letter, so that it can be referred to.")
	}
	if _, ok := d.refs[ref]; ok {
		d.error(block.DefRange, "Duplicate block", "There is %s already, at %s.", ref, place(d.defined[ref]))
		return
	}
	d.refs[ref] = what
	d.defined[ref] = block.DefRange
}
