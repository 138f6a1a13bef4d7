//go:build linux

package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programs is the folder of what Build made.
var programs string

// Build compiles the bridge command and the external plugins of the stories, once for all tests; the
// returned function removes them. It is for TestMain.
func Build() (remove func(), err error) {
	if programs, err = os.MkdirTemp("", "bridge-programs"); err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(programs) }
	const module = "github.com/protocol-bridge/bridge/"
	build := exec.Command("go", "build", "-o", programs+"/",
		module+"cmd/bridge", module+"test/internal/lines", module+"test/internal/badplugin")
	if out, err := build.CombinedOutput(); err != nil {
		remove()
		return nil, fmt.Errorf("build the programs of the stories: %w\n%s", err, out)
	}
	return remove, nil
}

// Program is the path of a program that Build made: "bridge", "lines" or "badplugin".
func Program(name string) string { return filepath.Join(programs, name) }
