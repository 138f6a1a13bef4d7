package logux

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestReadmeTable(t *testing.T) { plugintest.ConfigTable(t, New(), "README.md") }

var curlBody = regexp.MustCompile(`(?s)curl http://\S+ -d '(.*?)'`)

// TestReadmeRequests: what the README posts is taken.
func TestReadmeRequests(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	list := curlBody.FindAllStringSubmatch(string(text), -1)
	if len(list) == 0 {
		t.Error("README.md posts nothing")
	}
	for _, m := range list {
		body := strings.ReplaceAll(m[1], "only-on-this-machine", "parole")
		if got := posts(t, post{route: "server", body: body})[0]; !strings.HasPrefix(got, "publish $client/38:Y7bysd ") || !strings.HasSuffix(got, respond(0, "")) {
			t.Errorf("%s leads to\n%s", body, got)
		}
	}
}
