// Command docgen writes docs/configuration.md: an introduction by hand (intro.md), and tables of what
// core/config and the built-in plugins declare; and docs/metrics.md, a table of what core registers.
// `go generate` runs it; a test fails when a page is not current.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// page is the file, below the root of the module.
const page = "docs/configuration.md"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1) //nolint:forbidigo // a program that `go generate` runs
	}
}

func run() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	pages, err := renderAll(root)
	if err != nil {
		return err
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil { //nolint:gosec // a page for everybody
			return err
		}
	}
	return nil
}

// renderAll returns the pages by file name.
func renderAll(root string) (map[string]string, error) {
	configuration, err := render(root)
	if err != nil {
		return nil, err
	}
	metrics, err := renderMetrics()
	if err != nil {
		return nil, err
	}
	return map[string]string{page: configuration, metricsPage: metrics}, nil
}

// moduleRoot returns the folder with go.mod that the working directory is in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside a module")
		}
		dir = parent
	}
}
