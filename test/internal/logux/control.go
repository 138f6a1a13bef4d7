//go:build linux

package logux

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Reply is the status and the body of a response.
type Reply struct {
	Status int
	Body   string
}

var caller = &http.Client{Timeout: harness.AnswerLimit, Transport: &http.Transport{DisableKeepAlives: true}}

// Do sends a request with a JSON body, or with none where it is empty. No response is a fault of the
// test and the zero Reply.
func Do(t testing.TB, method, url, body string) Reply {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return Reply{}
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := caller.Do(r)
	if err != nil {
		t.Error(err)
		return Reply{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return Reply{resp.StatusCode, string(text)}
}

// Post sends a request of the back-end protocol in version 4 to a control endpoint: commands are those
// of its list, as JSON.
func Post(t testing.TB, url string, commands ...string) Reply {
	t.Helper()
	return Do(t, http.MethodPost, url, Envelope(4, commands...))
}

// Envelope is a request of the back-end protocol in some version.
func Envelope(version int, commands ...string) string {
	return `{"version":` + string(rune('0'+version)) + `,"secret":` + quote(Secret) + `,"commands":[` + strings.Join(commands, ",") + `]}`
}

// Action is an action command of version 4.
func Action(action, meta string) string {
	return `{"command":"action","action":` + action + `,"meta":` + meta + `}`
}
