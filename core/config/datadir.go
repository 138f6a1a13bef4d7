package config

import (
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// DataDir returns the data_dir of a file and looks at nothing else in it: whoever talks to a running
// bridge need not have the environment and the files that it was started with. The Diagnostics are
// never nil.
func DataDir(path string) (string, *Diagnostics) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", unreadable(err)
	}
	file, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
	src := &source{name: path, dir: filepath.Dir(path), file: file}
	if src.broken = diags.HasErrors(); src.broken {
		return "", src.diagnostics(withoutEchoes(diags), nil)
	}
	d := newDecoder(src)
	content, _, _ := file.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "data_dir"}}})
	dir := d.dataDir(content)
	return dir, src.diagnostics(d.diags, nil)
}

// dataDir returns the folder that the file names, or its default.
func (d *decoder) dataDir(content *hcl.BodyContent) string {
	dir, attr := defaultDataDir, content.Attributes["data_dir"]
	if d.text(attr, &dir) && dir == "" {
		d.error(attr.Expr.Range(), "Invalid path", `"data_dir" needs the path of a folder.`)
	}
	return d.src.path(dir)
}

func unreadable(err error) *Diagnostics {
	return &Diagnostics{list: hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Configuration not readable",
		Detail:   err.Error() + ". Name another file with -config.",
	}}}
}
