//go:build linux

package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	// For the same end as noteSources.
	_ "github.com/protocol-bridge/bridge/plugins"
	_ "github.com/protocol-bridge/bridge/sdk/plugintest/lines"
)

// programs is the folder of what Build made.
var programs string

// sources are the folders of the programs, in that of the module.
var sources = []string{"./cmd/bridge", "./test/internal/lines", "./test/internal/badplugin", "./test/internal/jobs"}

// Main is for TestMain of a package of stories: it builds the programs, runs the tests, and fails where
// goroutines are left. It returns the exit status.
func Main(m *testing.M) int {
	remove, err := Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	status := m.Run()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	return status
}

// Size is how much a story does: with -short it is the second.
func Size[T any](whole, short T) T {
	if testing.Short() {
		return short
	}
	return whole
}

// Root is the folder of the module: the nearest with a go.mod, from where a test runs upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		if up := filepath.Dir(dir); up != dir {
			dir = up
			continue
		}
		err = errors.New("no folder above has a go.mod")
	}
	return "", err
}

// Build compiles the bridge command and the external plugins of the stories, once for all tests; the
// returned function removes them.
func Build() (remove func(), err error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	if err := noteSources(root); err != nil {
		return nil, err
	}
	if programs, err = os.MkdirTemp("", "bridge-programs"); err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(programs) }
	build := exec.Command("go", append([]string{"build", "-o", programs + "/"}, sources...)...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		remove()
		return nil, fmt.Errorf("build the programs of the stories: %w\n%s", err, out)
	}
	return remove, nil
}

// noteSources reads what the programs are made of beyond what is linked into the tests: by that the go
// command knows that results of before a change are not to be shown again.
func noteSources(root string) error {
	for _, dir := range sources {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if _, err := os.ReadFile(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// Program is the path of a program that Build made: "bridge", "lines" or "badplugin".
func Program(name string) string { return filepath.Join(programs, name) }
