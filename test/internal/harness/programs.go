//go:build linux

package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	// For the same end as noteSources.
	_ "github.com/protocol-bridge/bridge/plugins"
	_ "github.com/protocol-bridge/bridge/sdk/plugintest/lines"
)

// programs is the folder of what Build made.
var programs string

// sources are the folders of the programs, from that of the stories.
var sources = []string{"../cmd/bridge", "./internal/lines", "./internal/badplugin"}

// Build compiles the bridge command and the external plugins of the stories, once for all tests; the
// returned function removes them. It is for TestMain of package test.
func Build() (remove func(), err error) {
	if err := noteSources(); err != nil {
		return nil, err
	}
	if programs, err = os.MkdirTemp("", "bridge-programs"); err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(programs) }
	build := exec.Command("go", append([]string{"build", "-o", programs + "/"}, sources...)...)
	if out, err := build.CombinedOutput(); err != nil {
		remove()
		return nil, fmt.Errorf("build the programs of the stories: %w\n%s", err, out)
	}
	return remove, nil
}

// noteSources reads what the programs are made of beyond what is linked into the tests: by that the go
// command knows that results of before a change are not to be shown again.
func noteSources() error {
	for _, dir := range sources {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
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
