//go:build linux

package logux

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What the page of the repository shows of Logux works with the configuration of the repository, by hand and
// with real clients.
func TestReadme(t *testing.T) {
	readme := readText(t, "../../README.md")
	frames := regexp.MustCompile(`(?m)^    (\["(?:connect|sync)",.*)$`).FindAllStringSubmatch(readme, -1)
	posts := regexp.MustCompile(`(?s)curl http://127\.0\.0\.1:6781/ -d '(.*?)'`).FindAllStringSubmatch(readme, -1)
	if len(frames) != 2 || len(posts) != 1 {
		t.Fatalf("README.md shows %d frames and %d requests of Logux", len(frames), len(posts))
	}
	b := harness.Start(t, harness.Config{Head: harness.FreePorts(readText(t, "../../bridge.hcl"))})
	c := logux.Dial(t, b.URL("/"), nil)
	gets := func(wants ...string) {
		t.Helper()
		for _, want := range wants {
			frame, end := c.Next(harness.AnswerLimit)
			if !strings.HasPrefix(frame, want) && (want[0] != '{' || !strings.Contains(frame, want)) {
				t.Errorf("got %s %s, want %s", frame, end, want)
			}
		}
	}
	c.Send(frames[0][1])
	gets(`["headers",{"env":"development"}]`, `["connected",4,`)
	c.Send(frames[1][1])
	gets(`["synced",1]`, `{"type":"greet","payload":{"name":"Ada"}}`, `{"id":`)
	reply := logux.Do(t, http.MethodPost, "http://"+b.AddressOf("internal")+"/", posts[0][1])
	if reply != (logux.Reply{Status: http.StatusOK}) {
		t.Errorf("the control endpoint answers %+v", reply)
	}
	gets(`{"type":"hello","payload":{"from":"curl"}}`)

	for _, client := range loguxClients {
		t.Run(client.name, func(t *testing.T) {
			c := logux.StartClients(t, client.from).Start("c", logux.Options{
				"server": b.URL("/"), "subprotocol": client.subprotocol, "userId": "38", "token": "good-token",
				"allowDangerousProtocol": false, // the server says that it is for development
			})
			c.Subscribe("news")
			c.Sync(`{"type":"greet","payload":{"name":"Ada"}}`)
			c.Expect(`add {"type":"greet","payload":{"name":"Ada"}}`)
			c.Expect(`processed {"type":"greet","payload":{"name":"Ada"}}`)
		})
	}
}
