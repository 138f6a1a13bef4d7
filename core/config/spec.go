package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/nearest"
)

// BlockSpec declares a block of bridge.hcl: what may stand in it, and what that means. From it come
// what is allowed, what diagnostics say is expected, which values are starred, and
// docs/configuration.md. It is read, never changed.
type BlockSpec struct {
	Type   string   // "listener"; empty for the file itself
	Kind   string   // the first label of a block that has kinds: "static"
	Labels []string // names of the labels, as shown in a header: "NAME"
	// Kinds are the blocks of this type by their first label. A block that has them has nothing else.
	Kinds   []*BlockSpec
	Doc     string // sentences
	Example string // a whole block, as written in bridge.hcl; empty: its parent's shows it
	Attrs   []AttrSpec
	Blocks  []*BlockSpec
	Free    bool // a plugin says what may stand in it

	title string // how texts name it, where that is not made of type and kind
}

// AttrSpec declares an attribute of a block.
type AttrSpec struct {
	Name     string
	Type     string // in words: "duration"
	Default  string // as written in bridge.hcl, or in words; empty: none
	Doc      string // one line, without a full stop
	Example  string // of the value, as written in bridge.hcl
	Required bool
	Secret   bool // the value is starred wherever it would be shown
}

// Spec returns the declaration of the whole file.
func Spec() *BlockSpec { return fileSpec }

// Header is how the block begins: `auth "static" "NAME"`.
func (s *BlockSpec) Header() string {
	parts := []string{s.Type}
	for i, label := range s.Labels {
		if i == 0 && s.Kind != "" {
			label = s.Kind
		}
		parts = append(parts, `"`+label+`"`)
	}
	return strings.Join(parts, " ")
}

// what is how texts name the block: `a listener block`.
func (s *BlockSpec) what() string {
	switch {
	case s.title != "":
		return s.title
	case s.Type == "":
		return "bridge.hcl"
	case s.Kind != "":
		return article(s.Type) + ` "` + s.Kind + `" block`
	}
	return article(s.Type) + " block"
}

func (s *BlockSpec) attr(name string) *AttrSpec {
	for i := range s.Attrs {
		if s.Attrs[i].Name == name {
			return &s.Attrs[i]
		}
	}
	return nil
}

func (s *BlockSpec) block(typ string) *BlockSpec {
	for _, b := range s.Blocks {
		if b.Type == typ {
			return b
		}
	}
	return nil
}

// kind returns the block of that kind, or nil.
func (s *BlockSpec) kind(name string) *BlockSpec {
	for _, k := range s.Kinds {
		if k.Kind == name {
			return k
		}
	}
	return nil
}

func (s *BlockSpec) kinds() []string {
	var names []string
	for _, k := range s.Kinds {
		names = append(names, k.Kind)
	}
	return names
}

// schema is what the HCL library needs to know. That something is missing we say ourselves.
func (s *BlockSpec) schema() *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, a := range s.Attrs {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.Name})
	}
	for _, b := range s.Blocks {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: b.Type, LabelNames: b.Labels})
	}
	return schema
}

// expected ends a text about something that does not belong here.
func (s *BlockSpec) expected() string {
	var names []string
	for _, a := range s.Attrs {
		names = append(names, a.Name)
	}
	for _, b := range s.Blocks {
		names = append(names, b.Type+" {}")
	}
	if len(names) == 0 {
		return "The block is to be left empty."
	}
	text := "Expected here: " + strings.Join(names, ", ") + "."
	if b := s.block("config"); b != nil {
		text += " What the plugin itself takes stands in config { … }."
	}
	return text
}

// around says in which blocks within s one of that type stands; empty: in none.
func (s *BlockSpec) around(typ string) string {
	var parents []string
	var walk func(*BlockSpec)
	walk = func(b *BlockSpec) {
		if b.block(typ) != nil && b.Type != "" && !slices.Contains(parents, b.Type) {
			parents = append(parents, b.Type)
		}
		for _, inner := range b.Blocks {
			walk(inner)
		}
	}
	walk(s)
	if len(parents) == 0 {
		return ""
	}
	return "They stand in " + strings.Join(parents, " and ") + " blocks."
}

// elsewhere says where an attribute belongs that is not one of s; empty when nowhere near.
func (s *BlockSpec) elsewhere(name string) string {
	for _, b := range s.Blocks {
		if b.attr(name) != nil {
			return "It belongs in " + article(b.Type) + " block: " + b.Header() + " { " + name + " = … }."
		}
	}
	top := fileSpec.block(s.Type)
	if top == nil {
		return ""
	}
	var kinds []string
	for _, k := range top.Kinds {
		if k.attr(name) != nil {
			kinds = append(kinds, `"`+k.Kind+`"`)
		}
	}
	if len(kinds) == 0 {
		return ""
	}
	return "It is for " + s.Type + " blocks of kind " + strings.Join(kinds, " or ") + "."
}

// missing says that a required attribute is not there.
func (a *AttrSpec) missing(what string) string {
	text := `"` + a.Name + `" must be set in ` + what
	if a.Doc != "" {
		text += ": " + strings.TrimSuffix(a.Doc, ".")
	}
	text += "."
	if a.Example != "" {
		text += " Example: " + a.Name + " = " + a.Example
	}
	return text
}

// secretNames are the attributes of the core's own blocks that hold secrets.
var secretNames = fileSpec.secrets(nil)

func (s *BlockSpec) secrets(names []string) []string {
	for _, a := range s.Attrs {
		if a.Secret && !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	for _, b := range slices.Concat(s.Blocks, s.Kinds) {
		names = b.secrets(names)
	}
	return names
}

// suggest ends a text about an unknown name: with the nearest of the known ones, or with all.
func suggest(name string, known []string, list string) string {
	if n := nearest.Name(name, known); n != "" {
		return ` Did you mean "` + n + `"?`
	}
	if len(known) == 0 {
		return ""
	}
	return " " + list + ": " + strings.Join(known, ", ") + "."
}
