package ctproto

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestReadmeTable(t *testing.T) { plugintest.ConfigTable(t, New(), "README.md") }

var curlBody = regexp.MustCompile(`(?s)/(updates|close) -d '(.*?)'`)

// TestReadmeRequests: what the README posts to the API is taken.
func TestReadmeRequests(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	list := curlBody.FindAllStringSubmatch(string(text), -1)
	if len(list) < 2 {
		t.Errorf("README.md posts %d times", len(list))
	}
	for _, m := range list {
		step := apiRequest{path: "/api/" + m[1], body: m[2]}.step(t)
		if got := plugintest.Format(step); !strings.HasPrefix(got, "call "+m[1]+" select") {
			t.Errorf("%s of %s leads to %s", m[1], m[2], got)
		}
	}
}
