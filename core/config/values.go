package config

import (
	"errors"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/protocol-bridge/bridge/internal/redact"
)

// The readers of attributes: each takes nil for one that is absent and then leaves its default, and
// reports a wrong one.

func (d *decoder) text(attr *hcl.Attribute, into *string) bool {
	if attr == nil {
		return false
	}
	v, ok := d.value(attr, false)
	if !ok {
		return false
	}
	if v.Type() != cty.String {
		d.wrongType(attr, "text in quotes", v)
		return false
	}
	*into = v.AsString()
	return true
}

func (d *decoder) bool(attr *hcl.Attribute, into *bool) {
	if attr == nil {
		return
	}
	v, ok := d.value(attr, false)
	if !ok {
		return
	}
	if v.Type() != cty.Bool {
		d.wrongType(attr, "true or false", v)
		return
	}
	*into = v.True()
}

func (d *decoder) int(attr *hcl.Attribute, least, most int64, into *int) {
	if attr == nil {
		return
	}
	v, ok := d.value(attr, false)
	if !ok {
		return
	}
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
	if v.Type() != cty.Number {
		d.wrongType(attr, want, v)
		return
	}
	n, exact := v.AsBigFloat().Int64()
	if exact != big.Exact || n < least || n > most {
		d.error(attr.Expr.Range(), "Invalid value", "%q needs %s.", attr.Name, want)
		return
	}
	*into = int(n)
}

// duration takes text such as "3s"; least is the smallest allowed.
func (d *decoder) duration(attr *hcl.Attribute, least time.Duration, into *time.Duration) bool {
	const want = `a duration in quotes, such as "500ms", "10s" or "1m30s"`
	if attr == nil {
		return false
	}
	v, ok := d.value(attr, false)
	if !ok {
		return false
	}
	if v.Type() != cty.String {
		d.wrongType(attr, want, v)
		return false
	}
	t, err := time.ParseDuration(v.AsString())
	switch {
	case err != nil:
		d.error(attr.Expr.Range(), "Invalid duration", "%q needs %s.", attr.Name, want)
	case t < least:
		d.error(attr.Expr.Range(), "Invalid duration", "%q must be %s or more.", attr.Name, least)
	default:
		*into = t
		return true
	}
	return false
}

const wantSize = `a number of bytes, or text such as "64KiB" or "1MiB"`

// size takes a number of bytes or text such as "1MiB"; it must be more than nothing.
func (d *decoder) size(attr *hcl.Attribute, into *int64) {
	if attr == nil {
		return
	}
	v, ok := d.value(attr, false)
	if !ok {
		return
	}
	var n int64
	switch v.Type() {
	case cty.Number:
		var exact big.Accuracy
		n, exact = v.AsBigFloat().Int64()
		ok = exact == big.Exact
	case cty.String:
		n, ok = parseSize(v.AsString())
	default:
		d.wrongType(attr, wantSize, v)
		return
	}
	if !ok || n <= 0 {
		d.error(attr.Expr.Range(), "Invalid size", "%q needs %s.", attr.Name, wantSize)
		return
	}
	*into = n
}

func tryOpen(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

var sizePattern = regexp.MustCompile(`^([0-9]{1,12}) ?(B|KiB|MiB|GiB)?$`)

func parseSize(s string) (int64, bool) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]uint{"KiB": 10, "MiB": 20, "GiB": 30}[m[2]]
	if err != nil || n > 1<<(62-shift) {
		return 0, false
	}
	return n << shift, true
}

func (d *decoder) texts(attr *hcl.Attribute, into *[]string) bool {
	if attr == nil {
		return false
	}
	v, ok := d.value(attr, false)
	if !ok {
		return false
	}
	list, ok := textList(v)
	if !ok {
		d.wrongType(attr, "a list of texts, such as "+d.example(attr, `["a", "b"]`), v)
		return false
	}
	*into = list
	return true
}

func textList(v cty.Value) ([]string, bool) {
	if !v.Type().IsTupleType() && !v.Type().IsListType() {
		return nil, false
	}
	list := []string{}
	for _, e := range v.AsValueSlice() {
		if e.IsNull() || e.Type() != cty.String {
			return nil, false
		}
		list = append(list, e.AsString())
	}
	return list, true
}

// table reads texts by name, in the order of the names; numbers are taken as text.
func (d *decoder) table(attr *hcl.Attribute, example string, secret bool) (names, values []string, ok bool) {
	if attr == nil {
		return nil, nil, false
	}
	want := "a table of texts, such as " + example
	if pairs, diags := hcl.ExprMap(attr.Expr); !diags.HasErrors() {
		d.duplicateKeys(pairs, attr.Name, secret)
	}
	v, ok := d.value(attr, secret)
	if !ok {
		return nil, nil, false
	}
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		d.wrongType(attr, want, v)
		return nil, nil, false
	}
	members := v.AsValueMap()
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		m := members[name]
		switch {
		case m.IsNull():
			d.error(attr.Expr.Range(), "Wrong type", "%q needs %s, but one of its values is null.", attr.Name, want)
			return nil, nil, false
		case m.Type() == cty.String:
			values = append(values, m.AsString())
		case m.Type() == cty.Number:
			values = append(values, numberText(m.AsBigFloat()))
		default:
			d.error(attr.Expr.Range(), "Wrong type", "%q needs %s, but one of its values is %s.", attr.Name, want, typeName(m.Type()))
			return nil, nil, false
		}
	}
	return names, values, true
}

// numberText writes a number out, but for huge ones, whose zeros nobody wants.
func numberText(n *big.Float) string {
	const bits = 1000
	if exponent := n.MantExp(nil); exponent > bits || exponent < -bits {
		return n.Text('g', -1)
	}
	return n.Text('f', -1)
}

func (d *decoder) duplicateKeys(pairs []hcl.KeyValuePair, table string, secret bool) {
	seen := map[string]hcl.Range{}
	for _, p := range pairs {
		key, diags := p.Key.Value(nil)
		if diags.HasErrors() || key.IsNull() || !key.IsKnown() || key.Type() != cty.String {
			continue
		}
		name := key.AsString()
		if first, ok := seen[name]; ok {
			what := fmt.Sprintf("%q", name)
			if secret {
				what = "The same name"
			}
			d.error(p.Key.Range(), "Duplicate name", "%s is in %q already, at %s.", what, table, place(first))
			continue
		}
		seen[name] = p.Key.Range()
	}
}

// filled takes text that is not empty.
func (d *decoder) filled(attr *hcl.Attribute, into *string) bool {
	if !d.text(attr, into) {
		return false
	}
	if *into == "" {
		d.error(attr.Expr.Range(), "Invalid value", "%q must not be empty.", attr.Name)
		return false
	}
	return true
}

var ratePattern = regexp.MustCompile(`^([0-9]{1,9})/(s|m|h)$`)

// rate takes text such as "100/s".
func (d *decoder) rate(attr *hcl.Attribute, into *Rate) {
	var s string
	if !d.text(attr, &s) {
		return
	}
	m := ratePattern.FindStringSubmatch(s)
	if m == nil || strings.Trim(m[1], "0") == "" {
		d.error(attr.Expr.Range(), "Invalid rate", `%q needs so many in a second, a minute or an hour, such as "100/s", "5/m" or "1000/h".`, attr.Name)
		return
	}
	into.Count, _ = strconv.Atoi(m[1])
	into.Per = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[m[2]]
}

// readable takes the path of a file that can be read now.
func (d *decoder) readable(attr *hcl.Attribute, into *string) {
	var s string
	if !d.filled(attr, &s) {
		return
	}
	path := d.src.path(s)
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case info.IsDir():
		err = errors.New("it is a folder")
	case info.Mode().IsRegular(): // opening a pipe would take what is in it
		err = tryOpen(path)
	}
	if err != nil {
		if failed, ok := errors.AsType[*os.PathError](err); ok {
			err = failed.Err
		}
		d.error(attr.Expr.Range(), "File not readable", "%q needs a file that can be read. Of %s the system says: %s.", attr.Name, path, err)
		return
	}
	*into = path
}

// weak are secrets that are no secret.
var weak = []string{
	"secret", "secrets", "changeme", "change-me", "change_me", "password", "passw0rd", "pass", "admin", "root", "test",
	"token", "default", "example", "letmein", "qwerty", "123456", "12345678", "123456789", "none", "null", "todo", "xxx", "foo",
	"bar", "bridge", "logux",
}

// WeakSecret says whether a secret is a word that everybody tries first. Such a one is refused where it keeps
// others than this machine out.
func WeakSecret(secret string) bool { return slices.Contains(weak, strings.ToLower(secret)) }

// secrets takes one secret or a list of them, the current one first. exposed says that machines
// other than this one are kept out by it.
func (d *decoder) secrets(attr *hcl.Attribute, exposed bool) []redact.Secret {
	if attr == nil {
		return nil
	}
	v, ok := d.value(attr, true)
	if !ok {
		return nil
	}
	var list []string
	if v.Type() == cty.String {
		list = []string{v.AsString()}
	} else if list, ok = textList(v); !ok {
		d.wrongType(attr, `text, env("NAME"), secret_file("path"), or a list of them`, v)
		return nil
	}
	if len(list) == 0 {
		d.error(attr.Expr.Range(), "Empty secret", "%q needs at least one secret.", attr.Name)
		return nil
	}
	out := make([]redact.Secret, 0, len(list))
	for _, s := range list {
		switch {
		case s == "":
			d.error(attr.Expr.Range(), "Empty secret", "%q is empty. A secret has no default: make up one that is long and random.", attr.Name)
		case exposed && WeakSecret(s):
			d.error(attr.Expr.Range(), "Weak secret",
				"%q is a word that everybody tries first. Make up one that is long and random: openssl rand -base64 48.", attr.Name)
		default:
			out = append(out, redact.Secret(s))
		}
	}
	return out
}
