package upstream

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

// Whatever a back-end does, a question ends once and so does an authentication, in every version;
// and the next question is asked. Answers are taken in both forms, whatever was asked.
func TestLoguxStrangeBackends(t *testing.T) {
	t.Parallel()
	const many = 10_000
	large := strings.Repeat("null,", 100_000)
	many1, many4 := &strings.Builder{}, &strings.Builder{}
	for i := range many {
		fmt.Fprintf(many1, `["action","$",{"type":"a","payload":%d},{"channel":"c"}],`, i)
		fmt.Fprintf(many4, `{"answer":"action","id":"$","action":{"type":"a","payload":%d},"meta":{"channel":"c"}},`, i)
	}
	const done4 = `{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`
	raw := func(response string, reset bool) func(c *net.TCPConn, r *bufio.Reader) {
		return func(c *net.TCPConn, r *bufio.Reader) {
			if request(r) {
				_, _ = io.WriteString(c, fill(response))
			}
			if reset {
				_ = c.SetLinger(0)
			}
		}
	}
	tests := []struct {
		name    string
		serve   func(c *net.TCPConn, r *bufio.Reader)
		outcome upstream.Outcome
		auth    upstream.Outcome
		detail  string
		items   int
	}{
		{"arrays", raw(head(200)+done, false), upstream.OK, upstream.Unavailable, "", 0},
		{"objects", raw(head(200)+"["+done4, false), upstream.OK, upstream.Unavailable, "", 0},
		{"authenticated as array", raw(head(200)+`[["authenticated","i"]]`, false), upstream.Unavailable, upstream.OK, "nothing for this question", 0},
		{"authenticated as object", raw(head(200)+`[{"answer":"authenticated","authId":"i"}]`, false), upstream.Unavailable, upstream.OK, "nothing for this question", 0},
		{"denied", raw(head(200)+`[["denied","$"],["denied","i"]]`, false), upstream.Denied, upstream.Denied, "", 0},
		{"error for all", raw(head(200)+`[["error","Oops"]]`, false), upstream.Error, upstream.Error, "Oops", 0},
		{"10,000 arrays", raw(head(200)+"["+approved+","+many1.String()+processed+"]", false), upstream.OK, upstream.Unavailable, "", many},
		{"10,000 objects", raw(head(200)+"["+approved+","+many4.String()+processed+"]", false), upstream.OK, upstream.Unavailable, "", many},
		{"10,000 answers to something else", raw(head(200)+"["+strings.Repeat(`["processed","1 a:b:c 0"],`, many)+"null]", false), upstream.Unavailable, upstream.Unavailable, "to something else", 0},
		{"redirect", raw("HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false), upstream.Unavailable, upstream.Unavailable, "status 302", 0},
		{"forbidden", raw("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 12\r\n\r\nWrong secret", false), upstream.Unavailable, upstream.Unavailable, `status 403: "Wrong secret"`, 0},
		{"unauthorized", raw("HTTP/1.1 401 Unauthorized\r\n\r\n[[\"denied\",\"i\"]]", false), upstream.Unavailable, upstream.Unavailable, "status 401", 0},
		{"HTML", raw(head(200)+"<!DOCTYPE html><title>Welcome</title>", false), upstream.Unavailable, upstream.Unavailable, "not JSON at byte 0", 0},
		{"object", raw(head(200)+`{"answer":"denied","authId":"i","id":"$"}`, false), upstream.Unavailable, upstream.Unavailable, "not an array", 0},
		{"empty list", raw(head(200)+"[]", false), upstream.Unavailable, upstream.Unavailable, "nothing for this question", 0},
		{"empty", raw(head(200), false), upstream.Unavailable, upstream.Unavailable, "empty", 0},
		{"status 204", raw("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", false), upstream.Unavailable, upstream.Unavailable, "empty", 0},
		{"no HTTP", raw("hello\r\n\r\n", false), upstream.Unavailable, upstream.Unavailable, "malformed HTTP response", 0},
		{"hangs up", raw("", false), upstream.Unavailable, upstream.Unavailable, "connection lost", 0},
		{"reset", raw(head(200)+"["+approved+",", true), upstream.Unavailable, upstream.Unavailable, "", 0},
		{"silent", func(_ *net.TCPConn, r *bufio.Reader) {
			request(r)
			_, _ = r.ReadByte()
		}, upstream.Unavailable, upstream.Unavailable, "no answer in time", 0},
		{"stops", func(c *net.TCPConn, r *bufio.Reader) {
			request(r)
			_, _ = io.WriteString(c, fill(head(200)+"[null,"+approved+","))
			_, _ = r.ReadByte()
		}, upstream.Unavailable, upstream.Unavailable, "the answer stopped", 0},
		{"never ends", func(c *net.TCPConn, r *bufio.Reader) {
			request(r)
			_, _ = io.WriteString(c, head(200)+"[")
			for {
				if _, err := io.WriteString(c, large); err != nil {
					return
				}
			}
		}, upstream.Unavailable, upstream.Unavailable, "too large", 0},
		{"never ends an element", func(c *net.TCPConn, r *bufio.Reader) {
			request(r)
			_, _ = io.WriteString(c, head(200)+`[["error","`)
			for {
				if _, err := io.WriteString(c, strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}, upstream.Unavailable, upstream.Unavailable, "too large", 0},
		{"never ends its head", func(c *net.TCPConn, r *bufio.Reader) {
			request(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X: y\r\n"); err != nil {
					return
				}
			}
		}, upstream.Unavailable, upstream.Unavailable, "the head is too large", 0},
	}
	for version := 1; version <= 4; version++ {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					cfg := LoguxConfig{
						URL: rawBackend(t, test.serve), Version: version, MaxConnections: 1, MaxAnswerBytes: 2 << 20, MaxElementBytes: 100_000,
					}
					switch test.name {
					case "silent":
						cfg.Timeout = 100 * time.Millisecond
					case "stops":
						cfg.IdleTimeout = 100 * time.Millisecond
					}
					p := pool(t, cfg)
					rounds := 2 // the place is free again
					if test.items > 0 {
						rounds = 1
					}
					for range rounds {
						list := ask(t, p, question())
						items := 0
						for _, a := range list {
							items += len(a.Items)
						}
						if a := last(list); a.Outcome != test.outcome || !strings.Contains(a.Detail, test.detail) || items != test.items {
							t.Errorf("a question ends %v %q with %d items, want %v %q with %d",
								a.Outcome, a.Detail, items, test.outcome, test.detail, test.items)
						}
					}
					user := "38"
					got := p.(Authenticator).Authenticate(t.Context(), &logux.Auth{ID: "i", UserID: &user}) //nolint:forcetypeassert // as NewLogux says
					if got.Outcome != test.auth || (got.UserID != nil) != (test.auth == upstream.OK) {
						t.Errorf("an authentication ends %+v, want %v", got, test.auth)
					}
				})
			}
		})
	}
}

// head is that of a response whose body ends with the connection.
func head(status int) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\r\n\r\n", status, http.StatusText(status))
}

func TestLoguxUnreachable(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler()) // with a certificate that nobody knows
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := backend(t, text(done))
	for name, url := range map[string]string{
		"unknown host":        "http://nobody.invalid/logux",
		"unknown certificate": secure.URL,
		"no TLS":              strings.Replace(plain.URL, "http:", "https:", 1),
		"TLS":                 strings.Replace(secure.URL, "https:", "http:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pool(t, LoguxConfig{URL: url, Timeout: 10 * time.Second, ConnectTimeout: 2 * time.Second})
			if a := last(ask(t, p, question())); a.Outcome != upstream.Unavailable || a.Detail == "" {
				t.Errorf("it ends %v %q", a.Outcome, a.Detail)
			}
		})
	}
}
