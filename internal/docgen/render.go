package main

import (
	"bytes"
	_ "embed" // for intro.md
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/protocol-bridge/bridge/core/config"
)

//go:embed intro.md
var intro string

// render returns the page, with the set-ups below root.
func render(root string) (string, error) {
	var w bytes.Buffer
	w.WriteString(intro)
	w.WriteString("\nThe tables below are made from what Bridge and its plugins declare, by `make gen`.\n")
	setups, err := readSetups(filepath.Join(root, "examples", "setups"))
	if err != nil {
		return "", err
	}
	w.WriteString("\n<!-- setups -->\n" + setups + "<!-- /setups -->\n")

	file := config.Spec()
	w.WriteString("\n## The file\n\nOutside all blocks:\n\n")
	attrTable(&w, file)
	for _, b := range file.Blocks {
		writeBlock(&w, b, 2)
	}
	if err := writePlugins(&w); err != nil {
		return "", err
	}
	return w.String(), nil
}

func writeBlock(w *bytes.Buffer, b *config.BlockSpec, level int) {
	fmt.Fprintf(w, "\n%s `%s`\n\n%s\n", strings.Repeat("#", level), b.Header(), b.Doc)
	if len(b.Attrs) > 0 {
		w.WriteString("\n")
		attrTable(w, b)
	}
	if b.Example != "" {
		fmt.Fprintf(w, "\n```hcl\n%s\n```\n", b.Example)
	}
	for _, k := range b.Kinds {
		writeBlock(w, k, level+1)
	}
	for _, inner := range b.Blocks {
		writeBlock(w, inner, level+1)
	}
}

// row is one line of a table of attributes.
type row struct{ name, typ, fallback, doc string }

func attrTable(w *bytes.Buffer, b *config.BlockSpec) {
	rows := make([]row, 0, len(b.Attrs))
	for _, a := range b.Attrs {
		r := row{name: a.Name, typ: a.Type, fallback: asCode(a.Default), doc: a.Doc}
		if a.Required {
			r.fallback = "required"
		}
		rows = append(rows, r)
	}
	table(w, rows)
}

func table(w *bytes.Buffer, rows []row) {
	w.WriteString("| attribute | type | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", r.name, cell(r.typ), cell(r.fallback), cell(r.doc))
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// asCode marks a default that is a value, and leaves words alone.
func asCode(s string) string {
	if s == "" || strings.ContainsAny(s, " `") || s == "none" || s == "any" || s == "leased" {
		return s
	}
	return "`" + s + "`"
}

// readSetups returns a section for each whole file in a folder, which need not be there. The first
// line of a file is a comment with its title; the comment lines that follow it are its text.
func readSetups(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.hcl"))
	if err != nil || len(files) == 0 {
		return "", err
	}
	var w strings.Builder
	w.WriteString("## Set-ups\n\nWhole files, to begin with.\n")
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		first, rest, _ := strings.Cut(string(source), "\n")
		title, ok := strings.CutPrefix(first, "# ")
		if !ok {
			return "", fmt.Errorf("%s: the first line is no comment with a title", file)
		}
		text, rest := leadingComment(rest)
		fmt.Fprintf(&w, "\n### %s\n", strings.TrimSuffix(title, "."))
		if text != "" {
			fmt.Fprintf(&w, "\n%s\n", text)
		}
		fmt.Fprintf(&w, "\n[examples/setups/%[1]s](../examples/setups/%[1]s)\n\n```hcl\n%[2]s\n```\n", filepath.Base(file), strings.TrimSpace(rest))
	}
	return w.String(), nil
}

// leadingComment takes the comment lines off the beginning of a file.
func leadingComment(source string) (text, rest string) {
	var lines []string
	for strings.HasPrefix(source, "#") {
		var line string
		line, source, _ = strings.Cut(source, "\n")
		lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n"), source
}
