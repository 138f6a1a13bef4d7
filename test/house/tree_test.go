package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// skipped are folders that hold nothing of ours.
var skipped = []string{".git", "data", "node_modules"}

// file is one text file of the tree.
type file struct {
	path string // from the module root, with slashes
	data []byte
}

// files returns the text files of the tree that match a pattern of [path.Match] on their name.
func files(t *testing.T, pattern string) []file {
	t.Helper()
	root := os.DirFS(moduleRoot(t))
	var found []file
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(skipped, entry.Name()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil // .git in a second worktree
		}
		match, err := path.Match(pattern, entry.Name())
		if err != nil || !match || !entry.Type().IsRegular() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		if err == nil && bytes.IndexByte(data, 0) < 0 {
			found = append(found, file{name, data})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// moduleRoot returns the nearest folder upward that holds a go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod in this folder or above it")
		}
		dir = parent
	}
}

// source is one parsed Go file.
type source struct {
	path string
	fset *token.FileSet
	ast  *ast.File
}

// sources returns the Go files of the tree but those that were generated.
func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	for _, f := range files(t, "*.go") {
		if s := parse(t, f); !ast.IsGenerated(s.ast) {
			found = append(found, s)
		}
	}
	return found
}

func parse(t *testing.T, f file) source {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, f.path, f.data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{f.path, fset, tree}
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// calls yields the calls of a package's functions by their name, as "time.Sleep". It does not look
// into a call for which yield returned false.
func (s source) calls(yield func(name string, call *ast.CallExpr) bool) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := selector.X.(*ast.Ident)
		return !ok || yield(pkg.Name+"."+selector.Sel.Name, call)
	})
}
