package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// hcl writes the plan as bridge.hcl.
func (p *loguxPlan) hcl() string {
	w := &hclLines{}
	w.line("# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate")
	for _, text := range p.head {
		w.line("# %s", printable(text))
	}
	w.line("")
	p.listeners(w)
	w.line("")
	w.line(`upstream "logux" "app" {`)
	w.text("url", p.backend)
	w.line("secret = env(%s) # the back-end has the same", quoted(p.secret))
	w.line("version = %s%s", p.version.value, comment(p.version.note))
	w.line("}")
	w.line("")
	p.plugin(w)
	return string(hclwrite.Format([]byte(w.String())))
}

func (p *loguxPlan) listeners(w *hclLines) {
	w.line(`listener "public" { # clients connect here`)
	w.text("address", p.address)
	if p.control.value != "" {
		w.line("default = true")
	}
	w.line(`# origins         = ["https://app.example"] # where pages come from that are not of this host`)
	w.line(`# trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx`)
	if p.cert != "" {
		w.line("tls {")
		w.text("cert_file", noted{value: p.cert})
		w.text("key_file", noted{value: p.key})
		w.line("}")
	}
	w.line("}")
	if p.control.value != "" {
		w.line(`listener "internal" {`)
		w.text("address", p.control)
		w.line("}")
	}
}

func (p *loguxPlan) plugin(w *hclLines) {
	w.line(`plugin "logux" {`)
	w.line(`route "/*" { # clients; POST / from back-ends; GET /health`)
	w.line(`role = "server"`)
	w.line("upstream = upstream.logux.app")
	config := &hclLines{}
	p.controlMask(config, p.address.value)
	config.text("subprotocol", p.subprotocol)
	config.text("supports", p.supports)
	config.text("env", p.env)
	if config.Len() > 0 {
		w.line("config {\n%s}", config)
	}
	w.line("}")
	if p.control.value != "" {
		w.line(`route "/" { # POST / from back-ends`)
		w.line(`role = "control"`)
		w.line(`also = ["/health", "/status"]`)
		w.line("listener = listener.internal")
		w.line("config {")
		w.line("control_secret = env(%s)", quoted(p.secret))
		p.controlMask(w, p.control.value)
		w.line("}")
		w.line("}")
	}
	w.line("}")
}

// controlMask says which back-ends may post to an address.
func (p *loguxPlan) controlMask(w *hclLines, address string) {
	switch {
	case p.mask != nil:
		blocks := make([]string, len(p.mask))
		for i, block := range p.mask {
			blocks[i] = quoted(block)
		}
		w.line("control_mask = [%s]", strings.Join(blocks, ", "))
	case !local(address):
		w.line(`# control_mask = ["127.0.0.0/8", "10.0.0.0/8"] # where back-ends post from; without it, this machine`)
	}
}

// hclLines is a configuration as it grows; hclwrite.Format indents it.
type hclLines struct{ strings.Builder }

func (w *hclLines) line(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// text writes an attribute, when it has a value.
func (w *hclLines) text(name string, v noted) {
	if v.value != "" {
		w.line("%s = %s%s", name, quoted(v.value), comment(v.note))
	}
}

func comment(note string) string {
	if note == "" {
		return ""
	}
	return " # " + printable(note)
}

// quoted writes a text so that nothing in it is more than text.
func quoted(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

// printable makes a comment of one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
