package mesh

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// statements is how many testable statements the specification has.
const statements = 38

// TestEveryStatementIsATest: each number has a transcript here, a test of the binary, or both.
func TestEveryStatementIsATest(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../test/mesh/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var binary strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		binary.Write(text)
	}
	for n := 1; n <= statements; n++ {
		files, err := filepath.Glob(fmt.Sprintf("testdata/statements/%02d-*.txt", n))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 && !strings.Contains(binary.String(), fmt.Sprintf("func TestStatement%02d", n)) {
			t.Errorf("statement %d is not tested", n)
		}
	}
}
