package ctproto

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// bothRoles has a route of each role.
func bothRoles() plugintest.Config {
	return plugintest.Config{Routes: []*pluginv1.RouteConfig{
		{Id: plugintest.Route, Path: "/", Upstream: "http", Auth: true},
		{Id: "api", Path: "/api/", Role: "api"},
	}}
}

// TestStatements plays the testable statements of the specification, each by its number.
func TestStatements(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	plugintest.Run(t, New, "testdata/statements/*.txt", bothRoles())
}

// Statements that need real sockets, a real back-end or the original's client are tests of the binary;
// one of a cluster waits for that.
const (
	elsewhere = "../../test/ctproto*_test.go"
	cluster   = 32
)

// TestEveryStatementIsATest: each number has a transcript here or a test of the binary.
func TestEveryStatementIsATest(t *testing.T) {
	binary := sources(t, elsewhere)
	for n := 1; n <= 36; n++ {
		files, err := filepath.Glob(fmt.Sprintf("testdata/statements/%02d-*.txt", n))
		if err != nil {
			t.Fatal(err)
		}
		there := strings.Contains(binary, fmt.Sprintf("func TestCTProtoStatement%02d", n))
		switch {
		case n == cluster:
			if there || len(files) > 0 {
				t.Errorf("statement %d is of a cluster, and there is none yet", n)
			}
		case n == 27:
			// Of any error message: TestStatement27.
		case len(files) == 0 && !there:
			t.Errorf("statement %d is not tested", n)
		}
	}
}

// sources is the text of the files that match.
func sources(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

var withID = regexp.MustCompile(`"messageId":"([^"]*)"\}$`)

// TestStatement27: the id of any error message has the right form and is not the request's.
func TestStatement27(t *testing.T) {
	const request = "abcdefghij"
	failed := answer(request, done(pluginv1.Outcome_OUTCOME_ERROR, ""))
	seen := map[string]bool{request: true}
	for _, frame := range []string{
		`{"type":"t","payload":{}}`, `{"messageId":"abcdefghij"}`, `{"messageId":"abcdefghij","type":"t"}`,
		`{"messageId":"abcdefghij","type":1,"payload":{}}`, `{"messageId":"abcdefghij","type":"t","payload":1}`, `null`,
	} {
		steps := authorizedBench(t, `{}`).Send(plugintest.Text(frame), plugintest.Textf(`{"messageId":"%s","type":"t","payload":{}}`, request), failed)
		for _, i := range []int{0, 2} {
			m := withID.FindStringSubmatch(plugintest.Format(steps[i]))
			if m == nil || !freshID.MatchString(m[1]) || seen[m[1]] {
				t.Fatalf("%s: step %d: %s", frame, i, plugintest.Format(steps[i]))
			}
			seen[m[1]] = true
		}
	}
}
