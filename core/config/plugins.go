package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

var (
	labelPattern  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	sha256Pattern = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	envPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (d *decoder) plugin(block *hcl.Block, c *Config, labels map[string]hcl.Range, paths map[string]servedPath) *Plugin {
	p := &Plugin{
		Label: block.Labels[0], Type: block.Labels[0], EventTimeout: defaultEventTimeout, Range: block.DefRange, src: d.src,
	}
	if !labelPattern.MatchString(p.Label) {
		d.error(block.LabelRanges[0], "Invalid name",
			`The label of a plugin is made of lower-case letters, digits, "_" and "-", and begins with a letter.`)
	}
	if first, ok := labels[p.Label]; ok {
		d.error(block.DefRange, "Duplicate block",
			"There is a plugin %q already, at %s. To have two of a kind give them different labels and the same \"type\".", p.Label, place(first))
	} else {
		labels[p.Label] = block.DefRange
		d.refs["plugin."+p.Label] = p
	}
	in := d.content(block.Body, pluginSpec)
	at := in.Attributes
	if d.text(at["type"], &p.Type) && !labelPattern.MatchString(p.Type) {
		d.error(at["type"].Expr.Range(), "Invalid name", `"type" is the name of a plugin: lower-case letters, digits, "_" and "-".`)
	}
	d.process(p, at)
	p.MTLS = len(p.Command) > 0
	d.bool(at["mtls"], &p.MTLS)
	d.bool(at["standby"], &p.Standby)
	d.duration(at["event_timeout"], 10*time.Millisecond, &p.EventTimeout)
	p.config = d.single(in, "config")
	for _, b := range in.Blocks.OfType("route") {
		p.Routes = append(p.Routes, d.route(p, b, c, paths))
	}
	return p
}

// process reads how an external plugin is started.
func (d *decoder) process(p *Plugin, at hcl.Attributes) {
	if d.texts(at["command"], &p.Command) {
		switch {
		case len(p.Command) == 0 || p.Command[0] == "":
			d.error(at["command"].Expr.Range(), "Invalid value", `"command" needs a program, such as ["/opt/my-plugin"].`)
			p.Command = nil
		case strings.ContainsAny(p.Command[0], `/\`) && !filepath.IsAbs(p.Command[0]):
			p.Command[0] = filepath.Join(d.src.dir, p.Command[0])
		}
	}
	if attr := at["sha256"]; d.text(attr, &p.SHA256) {
		switch {
		case !sha256Pattern.MatchString(p.SHA256):
			d.error(attr.Expr.Range(), "Invalid value", `"sha256" needs the 64 hexadecimal digits that sha256sum prints for the program.`)
		case at["command"] == nil:
			d.error(attr.NameRange, "Missing command", `"sha256" is about the program of an external plugin: it needs "command".`)
		}
		p.SHA256 = strings.ToLower(p.SHA256)
	}
	names, values, ok := d.table(at["env"], `{ REDIS_URL = "redis://127.0.0.1" }`, false)
	if !ok {
		return
	}
	p.Env = make(map[string]string, len(names))
	for i, name := range names {
		if !envPattern.MatchString(name) || strings.ContainsRune(values[i], 0) {
			d.error(at["env"].Expr.Range(), "Invalid value", "%q cannot be set in an environment.", name)
		}
		p.Env[name] = values[i]
	}
}
