package config

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics are the faults and warnings found in a file, in its order, together with what is
// needed to show them: the file with its secrets starred. The zero value and nil are none.
//
//nolint:errname // it is an error only when HasErrors says so
type Diagnostics struct {
	list  hcl.Diagnostics
	files map[string]*hcl.File
}

// diagnostics makes the diagnostics of this file ready to be shown; secret are ranges to be starred
// besides what is a secret by its name.
func (s *source) diagnostics(list hcl.Diagnostics, secret []hcl.Range) *Diagnostics {
	d := &Diagnostics{list: list}
	if len(list) > 0 {
		shown := masked(s.file.Bytes, s.name, secret)
		if s.broken {
			maskLines(shown, s.file.Bytes)
		}
		d.files = map[string]*hcl.File{s.name: {Bytes: shown, Nav: s.file.Nav}}
	}
	slices.SortStableFunc(d.list, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return cmp.Compare(boolInt(a.Subject != nil), boolInt(b.Subject != nil))
		}
		return cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte)
	})
	return d
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// HasErrors reports whether there is more than warnings.
func (d *Diagnostics) HasErrors() bool { return d != nil && d.list.HasErrors() }

// Len returns how many there are, warnings included.
func (d *Diagnostics) Len() int {
	if d == nil {
		return 0
	}
	return len(d.list)
}

// List returns them in the library's form. Snippets are not part of it; texts hold no secrets.
func (d *Diagnostics) List() hcl.Diagnostics {
	if d == nil {
		return nil
	}
	return slices.Clone(d.list)
}

// Append adds those of other, which may be nil, behind its own.
func (d *Diagnostics) Append(other *Diagnostics) {
	if other.Len() == 0 {
		return
	}
	d.list = append(d.list, other.list...)
	files := make(map[string]*hcl.File, len(d.files)+len(other.files))
	maps.Copy(files, d.files)
	for name, f := range other.files {
		if had := files[name]; had != nil {
			f = &hcl.File{Bytes: bothMasked(had.Bytes, f.Bytes), Nav: f.Nav}
		}
		files[name] = f
	}
	d.files = files
}

// bothMasked stars what either of two copies of a file stars.
func bothMasked(a, b []byte) []byte {
	if len(a) != len(b) {
		return b
	}
	out := bytes.Clone(a)
	for i := range b {
		if b[i] == star {
			out[i] = star
		}
	}
	return out
}

// width is that of the text in columns.
const width = 78

// WriteTo shows all of them for an operator, each with the line it is about. It uses colour only
// on a terminal, and not when NO_COLOR is set.
func (d *Diagnostics) WriteTo(w io.Writer) (int64, error) {
	if d.Len() == 0 {
		return 0, nil
	}
	var buf bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&buf, d.files, width, colour(w)).WriteDiagnostics(d.list); err != nil {
		return 0, err
	}
	return buf.WriteTo(w)
}

// Error returns a line for each, without snippets, so that Diagnostics that have errors are one.
func (d *Diagnostics) Error() string {
	if d.Len() == 0 {
		return "no diagnostics"
	}
	lines := make([]string, 0, len(d.list))
	for _, one := range d.list {
		lines = append(lines, strings.ReplaceAll(one.Error(), "\n", " "))
	}
	return strings.Join(lines, "\n")
}

func colour(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
