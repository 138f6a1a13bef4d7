//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// What is published through the API reaches clients of another protocol as a message, and what that
// protocol's back-ends publish reaches end users.
func TestAcrossProtocols(t *testing.T) {
	cfg := config("", "")
	cfg.File += harness.AuthBlock + `
upstream "dev" "echo" {}
plugin "ctproto" {
  route "/ctproto" {
    auth     = auth.static.dev
    upstream = upstream.dev.echo
    channels = ["news"]
  }
}
`
	b := harness.Start(t, cfg)
	ws, err := harness.DialCTProto(b.URL("/ctproto"))
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	other, api, user := &peer{t: t, ws: ws}, backend(t, b), endUser(t, b)
	api.must("queue.pop", `["chat"]`)
	api.must("conn.call", `{"c":"`+idOf(api, user)+`","f":"subscribe","a":["news"]}`)
	for _, tt := range [][2]string{
		{`hello`, `{"type":"mesh","payload":{"data":"hello"},"messageId":"`},
		{`{\"type\":\"note\",\"payload\":{\"n\":1463786910324359168}}`, `{"type":"note","payload":{"n":1463786910324359168},"messageId":"`},
	} {
		// Those of other protocols are not counted.
		if got := api.ask("mesh.publish", `{"c":"news","d":"`+tt[0]+`"}`); got != `{"s":1,"f":0}` {
			t.Errorf("publish: %s", got)
		}
		user.want(strings.ReplaceAll(tt[0], `\"`, `"`))
		if got := other.frame(); !strings.HasPrefix(got, tt[1]) {
			t.Errorf("got %s, want %s…", got, tt[1])
		}
	}
	if r := request(t, "POST", "http://"+b.AddressOf("admin")+"/api/publish", "", `{"channel":"news","type":"note","payload":{"a":1.50}}`); r.status != 200 {
		t.Errorf("publish: %d %s", r.status, r.body)
	}
	user.want(`{"type":"note","payload":{"a":1.50}}`)
}

// While the plugin is killed again and again, each message of an end user comes once and in order, each
// request is answered once, and no connection drops.
func TestKilled(t *testing.T) {
	b := harness.Start(t, config("", ""))
	user, api := endUser(t, b), backend(t, b)
	api.must("queue.pop", `["chat"]`)
	kills := harness.Size(10, 3)
	const each = 20
	for kill := range kills {
		for i := range each {
			user.send(label(kill, i))
		}
		var pid int
		harness.Until(t, limit, "the plugin runs", func() bool { pid = b.Plugin("mesh").Pid; return pid > 0 })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
		var id string
		for i := range each {
			e := api.event()
			if e.P.D.Frame.Data != label(kill, i) {
				t.Fatalf("got %+v, want %s", e, label(kill, i))
			}
			id = e.P.C
		}
		for i := range each {
			api.send(`{"m":"mesh.send","p":{"c":` + id + `,"d":"` + label(kill, i) + `"},"i":"` + label(kill, i) + `"}`)
		}
		for i := range each {
			user.want(label(kill, i))
			api.want(`{"E":null,"r":{"s":true},"i":"` + label(kill, i) + `"}`)
		}
	}
	user.silent()
	api.silent()
}

func label(kill, i int) string { return fmt.Sprintf("%d.%d", kill, i) }
