// Package config owns bridge.hcl: it turns the file into a typed [Config] that remembers where each
// thing was written, and every fault in it into a diagnostic with file, line, snippet and what was
// expected, all at once.
//
// What may stand in the file is declared once ([Spec]): decoding, texts and docs/configuration.md come
// from that.
//
// It has two steps. [Load] decodes what the core knows and keeps the `config` blocks of plugins as
// they are. Once a plugin has described itself, [Plugin.Resolve] checks them against that and makes
// what the plugin is configured with. What a plugin then complains about becomes a diagnostic by
// [Plugin.Complaints].
//
// It opens no port, starts no process, and decides nothing at run time.
package config

import (
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Config is what one bridge.hcl says, with defaults filled in and references resolved. Lists are in
// the order of the file.
type Config struct {
	File      string // as given to Load
	DataDir   string // relative to the working directory, or absolute
	Listeners []*Listener
	Admin     *Admin // nil: no admin address
	Auths     []*Auth
	Upstreams []*Upstream
	Plugins   []*Plugin
	Channels  []*Channel
	Cluster   *Cluster // nil: one node
	Shutdown  Shutdown
}

// Load reads and checks a file. The Diagnostics are never nil and may hold warnings; the Config is
// nil when they have errors.
func Load(path string) (*Config, *Diagnostics) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(err)
	}
	return Parse(path, src)
}

// Parse does what [Load] does with the text of a file. Relative paths in it are relative to the
// folder of filename.
func Parse(filename string, text []byte) (*Config, *Diagnostics) {
	file, diags := hclsyntax.ParseConfig(text, filename, hcl.InitialPos)
	src := &source{name: filename, dir: filepath.Dir(filename), file: file}
	if src.broken = diags.HasErrors(); src.broken {
		return nil, src.diagnostics(withoutEchoes(diags), nil)
	}
	d := newDecoder(src)
	c := d.file()
	found := src.diagnostics(append(diags, d.diags...), nil)
	if found.HasErrors() {
		return nil, found
	}
	return c, found
}

// withoutEchoes leaves out what the parser says again about each line that follows a quote which was
// not closed.
func withoutEchoes(diags hcl.Diagnostics) hcl.Diagnostics {
	const echo = "Invalid multi-line string"
	line := -1
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		if d.Summary != echo || d.Subject == nil {
			return false
		}
		follows := line >= 0 && d.Subject.Start.Line <= line+1
		line = d.Subject.Start.Line
		return follows
	})
}

// source is the file that everything was read from.
type source struct {
	name   string
	dir    string
	file   *hcl.File
	broken bool // it is not HCL
}

// path returns a path written in the file for who works in another folder.
func (s *source) path(written string) string {
	if filepath.IsAbs(written) {
		return written
	}
	return filepath.Join(s.dir, written)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
