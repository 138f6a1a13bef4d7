package auth

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
)

// TestLimitOnBehalf: a server's clients do not lock each other out, nor the server; who guesses at one
// user is stopped, through whichever server.
func TestLimitOnBehalf(t *testing.T) {
	const one, two = "192.0.2.1:1000", "192.0.2.2:1000"
	c, backend := newClock(), &scripted{}
	limited := Limit(backend, LimitConfig{Now: c.now})
	ask := func(address, user, token string, behalf bool) (Answer, bool) {
		before := backend.asked
		ans := limited.Authenticate(t.Context(), &Request{
			RemoteAddress: address, UserID: user, HasToken: true, Token: token, OnBehalf: behalf,
		})
		return ans, backend.asked > before
	}
	for i := range 100 {
		if ans, asked := ask(one, fmt.Sprint("user", i), "bad", true); !asked || ans.Outcome != upstream.Denied {
			t.Fatalf("attempt %d: %+v, asked %v", i, ans, asked)
		}
		if ans, asked := ask(one, "", "bad", true); !asked || ans.Outcome != upstream.Denied {
			t.Fatalf("attempt %d of nobody in particular: %+v, asked %v", i, ans, asked)
		}
	}
	if ans, asked := ask(one, "v", "good", false); !asked || ans.Outcome != upstream.OK {
		t.Errorf("a client at the server's address: %+v, asked %v", ans, asked)
	}
	for range 3 {
		if _, asked := ask(one, "u", "bad", true); !asked {
			t.Error("a third attempt is not asked")
		}
	}
	for _, server := range []string{one, two} {
		ans, asked := ask(server, "u", "good", true)
		if asked {
			t.Errorf("a fourth attempt through %s is asked", server)
		}
		wantOutcome(t, "a fourth attempt", ans, upstream.Denied)
	}
	if ans, asked := ask(two, "w", "good", true); !asked || ans.Outcome != upstream.OK {
		t.Errorf("another user: %+v, asked %v", ans, asked)
	}
	if ans, asked := ask(one, "u", "good", false); !asked || ans.Outcome != upstream.OK {
		t.Errorf("the user itself, directly: %+v, asked %v", ans, asked)
	}
	c.advance(3 * time.Second)
	if ans, asked := ask(one, "u", "good", true); !asked || ans.Outcome != upstream.OK {
		t.Errorf("later: %+v, asked %v", ans, asked)
	}
}

// TestLoguxSubprotocolAndCookies: cookies that somebody else read stand for those of the request, and what
// the back-end says it speaks is passed on.
func TestLoguxSubprotocolAndCookies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opening Opening
		cookie  string
	}{
		"the request's": {Opening{Cookie: "a=%20b"}, `"cookie":{"a":" b"}`},
		"somebody's":    {Opening{Cookie: "a=%20b", Cookies: []Field{{"to\"ken", "%20c"}, {"x", ""}}}, `"cookie":{"to\"ken":"%20c","x":""}`},
		"none":          {Opening{}, `"cookie":{}`},
	} {
		asked := make(chan string, 1)
		b := askLogux(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			question, _ := io.ReadAll(r.Body)
			asked <- string(question)
			_, _ = io.WriteString(w, `[{"answer":"authenticated","authId":`+authID.FindString(string(question))+`,"subprotocol":"1.2.0"}]`)
		}), 4, time.Minute)
		got := b.Authenticate(t.Context(), &Request{UserID: "38", Opening: tt.opening})
		if got.Outcome != upstream.OK || got.Subprotocol != "1.2.0" {
			t.Errorf("%s: answered %+v", name, got)
		}
		if question := <-asked; !strings.Contains(question, tt.cookie) {
			t.Errorf("%s: asked %s, want %s in it", name, question, tt.cookie)
		}
	}
}
