package main

import (
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/config"
)

// TestRouteTable: which path leads where, in columns.
func TestRouteTable(t *testing.T) {
	c, diags := config.Parse("bridge.hcl", []byte(`
listener "public" {
  address = "127.0.0.1:6789"
  default = true
}
listener "internal" {
  address = "127.0.0.1:6781"
}
admin {
  address = "127.0.0.1:6780"
}
auth "static" "dev" {
  tokens = { good-token = "38" }
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = "only-on-this-machine"
}
plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.logux.app
    also     = ["/old"]
    limits {
      max_frame  = "64KiB"
      max_binary = 1000
    }
  }
  route "/api/" {
    role     = "api"
    auth     = auth.none
    listener = listener.internal
  }
  route "/nobody" {
    listener = listener.internal
  }
  route "/logux" {
    upstream = upstream.logux.app
    listener = listener.internal
  }
}
`))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	c.Plugins[0].Routes[2].LocalOnly = true // as plugins say of such a route
	c.Plugins[0].Routes[3].Limits = config.Limits{Rate: config.Rate{Count: 5, Per: 60e9}, MaxSessions: 7, MaxFrame: 2 << 20, MaxBinary: 1 << 30}
	var got strings.Builder
	if err := writeRoutes(&got, c); err != nil {
		t.Fatal(err)
	}
	const want = `public, 127.0.0.1:6789
  /client  ctproto  auth.static.dev  upstream.logux.app  max_frame 64KiB, max_binary 1000
  /old     ctproto  auth.static.dev  upstream.logux.app  max_frame 64KiB, max_binary 1000
internal, 127.0.0.1:6781
  /api/    ctproto as api  auth.none              -
  /nobody  ctproto         - (this machine only)  -
  /logux   ctproto         auth.logux.app         upstream.logux.app  max_frame 2MiB, max_binary 1GiB, rate 5/m, max_sessions 7
admin, 127.0.0.1:6780
bridge.hcl is valid.
`
	var lines []string
	for line := range strings.Lines(got.String()) {
		lines = append(lines, strings.TrimRight(line, " \n")+"\n")
	}
	if text := strings.Join(lines, ""); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}
