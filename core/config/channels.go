package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/channel"
)

func (d *decoder) channel(block *hcl.Block, seen map[channel.Pattern]hcl.Range) *Channel {
	c := &Channel{Pattern: channel.Pattern(block.Labels[0]), Range: block.DefRange}
	d.pattern(block.Labels[0], block.LabelRanges[0])
	if first, ok := seen[c.Pattern]; ok {
		d.error(block.DefRange, "Duplicate block", "There is a channel %q already, at %s.", c.Pattern, place(first))
	} else {
		seen[c.Pattern] = block.DefRange
	}
	in := d.content(block.Body, channelSpec)
	c.Join = d.peers(in.Attributes["join"])
	c.Publish = d.peers(in.Attributes["publish"])
	if len(in.Attributes) == 0 {
		d.error(block.DefRange, "Empty block", `This changes nothing. Add "join" or "publish", such as join = [plugin.mesh].`)
	}
	return c
}

// peers takes references to plugins and auths.
func (d *decoder) peers(attr *hcl.Attribute) *Peers {
	if attr == nil {
		return nil
	}
	p := &Peers{}
	for _, e := range elements(attr.Expr) {
		ref, what := d.refer(e, attr, "plugin", "auth")
		switch w := what.(type) {
		case *Plugin:
			p.Plugins = append(p.Plugins, w)
		case *Auth:
			p.Auths = append(p.Auths, w)
		}
		if ref == "auth.none" {
			d.error(e.Range(), "Wrong reference", "auth.none is nobody in particular, so %q cannot name it. Name plugins and auths.", attr.Name)
		}
	}
	return p
}

// elements are those of a list, or what is written without one.
func elements(e hcl.Expression) []hcl.Expression {
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		return list
	}
	return []hcl.Expression{e}
}

// patterns takes patterns of channels.
func (d *decoder) patterns(attr *hcl.Attribute, into *[]channel.Pattern) {
	var list []string
	if !d.texts(attr, &list) {
		return
	}
	for i, s := range list {
		if d.pattern(s, elementRange(attr.Expr, i)) {
			*into = append(*into, channel.Pattern(s))
		}
	}
}

// pattern checks a pattern of channels. It warns of a star that stands for itself, which is hardly
// ever meant.
func (d *decoder) pattern(s string, at hcl.Range) bool {
	if err := channel.CheckPattern(channel.Pattern(s)); err != nil {
		d.error(at, "Invalid pattern", `The pattern %q can match nothing: %s. A pattern is a channel's name, or the beginning of names with "*" behind it.`, s, err)
		return false
	}
	if i := strings.IndexByte(s, '*'); i >= 0 && i < len(s)-1 {
		d.warn(at, "Star inside a pattern", `Only a "*" at the end stands for anything; the one inside %q is a star in the channel's name.`, s)
	}
	return true
}
