//go:build linux

package logux

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// What a relay passes on is answered as the server answers, and 502 when it cannot be reached in time. It is
// not mirrored back.
func TestLoguxRelay(t *testing.T) {
	demo := harness.StartDemo(t)
	b, n := startBehindNode(t, demoUpstream(demo.URL))
	url := "http://" + b.AddressOf("internal") + "/relay"
	relay := func() string {
		resp, err := http.Post(url, "application/json", strings.NewReader(
			`{"version":2,"password":"parole","commands":[["action",{"type":"users/name","n":12345678901234567890},{"channel":"users/38"}]]}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(resp.StatusCode, " ", string(text))
	}
	if got := relay(); got != "200 " {
		t.Errorf("answered %s", got)
	}
	want := `{"version":4,"secret":"` + harness.Secret + `","commands":[{"command":"action","action":{"type":"users/name","n":12345678901234567890},"meta":{"channels":["users/38"]}}]}`
	if got := n.posts(); len(got) != 1 || got[0] != want {
		t.Errorf("passed on %q, want %s", got, want)
	}
	n.mu.Lock()
	n.handle = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Wrong secret", http.StatusForbidden) }
	n.mu.Unlock()
	if got := relay(); got != "403 Wrong secret\n" {
		t.Errorf("answered %s", got)
	}
	if got := n.posts(); len(got) != 1 {
		t.Errorf("passed on %q, want one: it is not mirrored, nor tried again", got)
	}
}

// A server that refuses connections is tried again, in order, until the relay's time is up.
func TestLoguxRelayToNobody(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	b := harness.Start(t, harness.Config{File: fmt.Sprintf(`
upstream "logux_server" "node" {
  url     = "http://%s/"
  secret  = %q
  timeout = "1s"
}
plugin "logux" {
  route "/relay" {
    role     = "relay"
    upstream = upstream.logux_server.node
    config {
      secret = %q
    }
  }
}
`, address, harness.Secret, parole)})
	began := time.Now()
	resp, err := http.Post("http://"+b.Address()+"/relay", "application/json", strings.NewReader(`{"version":4,"secret":"parole","commands":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if took := time.Since(began); err != nil || resp.StatusCode != http.StatusBadGateway || string(text) != "Upstream unavailable" || took < 500*time.Millisecond {
		t.Errorf("answered %d %s, %v after %v", resp.StatusCode, text, err, took)
	}
}
