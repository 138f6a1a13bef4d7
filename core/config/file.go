package config

import (
	"regexp"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/channel"
)

// Defaults of what the file may leave out.
const (
	defaultDataDir         = "data"
	defaultShutdownTimeout = 30 * time.Second
	defaultEventTimeout    = 10 * time.Second
)

func (d *decoder) file() *Config {
	content := d.content(d.src.file.Body, fileSpec)
	c := &Config{File: d.src.name, DataDir: d.dataDir(content), Shutdown: Shutdown{Timeout: defaultShutdownTimeout}}

	// What is referred to comes before what refers to it.
	var addresses taken
	for _, block := range content.Blocks.OfType("listener") {
		c.Listeners = append(c.Listeners, d.listener(block, &addresses))
	}
	d.defaultListener(c.Listeners)
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
	if block := d.single(content, "admin"); block != nil {
		c.Admin = d.admin(block, &addresses)
	}
	labels, paths := map[string]hcl.Range{}, map[string]servedPath{}
	for _, block := range content.Blocks.OfType("plugin") {
		c.Plugins = append(c.Plugins, d.plugin(block, c, labels, paths))
	}
	d.lines(c)
	patterns := map[channel.Pattern]hcl.Range{}
	for _, block := range content.Blocks.OfType("channel") {
		c.Channels = append(c.Channels, d.channel(block, patterns))
	}
	if block := d.single(content, "cluster"); block != nil {
		c.Cluster = d.cluster(block, &addresses)
	}
	if block := d.single(content, "shutdown"); block != nil {
		in := d.content(block.Body, shutdownSpec)
		d.duration(in.Attributes["delay"], 0, &c.Shutdown.Delay)
		d.duration(in.Attributes["timeout"], 0, &c.Shutdown.Timeout)
	}
	if len(content.Blocks.OfType("listener")) == 0 {
		d.error(d.src.file.Body.MissingItemRange(), "No listener",
			`Nobody could connect. Add a block such as listener "public" { address = "127.0.0.1:6789" }.`)
	}
	return c
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
