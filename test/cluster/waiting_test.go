//go:build linux

package cluster

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestWaiting: a node that waits for the others says so to whoever asks, serves nobody, and ends when asked.
func TestWaiting(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("") + harness.ClusterBlocks(t, 3)[0], Starting: true})
	read := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + b.AddressOf("admin") + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for path, want := range map[string]string{
		"/health":       "200 ",
		"/ready":        "503 {",
		"/api/status":   "waiting for other nodes of the cluster",
		"/api/sessions": `200 {"sessions":`,
	} {
		status, body := read(path)
		if got := fmt.Sprint(status, " ", strings.ReplaceAll(body, " ", "")); !strings.Contains(got, strings.ReplaceAll(want, " ", "")) && !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if _, body := read("/ready"); !strings.Contains(body, "waiting for other nodes of the cluster") {
		t.Errorf("/ready does not say why: %s", body)
	}
}
