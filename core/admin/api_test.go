package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// desk is what a test serves, and remembers of what it was asked.
type desk struct{ asked []string }

func (d *desk) note(format string, args ...any) {
	d.asked = append(d.asked, fmt.Sprintf(format, args...))
}

func (d *desk) control() Control {
	one := SessionStatus{ID: 1 << 62, Plugin: "p", Route: "r", RemoteAddress: "a", Transport: "websocket", Opened: time.Unix(0, 0).UTC(), Channels: []string{}}
	return Control{
		Status: func() Status { return Status{Version: "v1", Plugins: []PluginStatus{}} },
		Sessions: func(q SessionQuery) SessionPage {
			d.note("sessions %+v", q)
			if q.User == "nobody" {
				return SessionPage{}
			}
			return SessionPage{Sessions: []SessionStatus{one}, Next: one.ID}
		},
		Session: func(id ID) (SessionStatus, bool) { return one, id == one.ID },
		Close: func(r *CloseRequest) (int, error) {
			d.note("close %+v", *r)
			if r.Code == 1 {
				return 0, errors.New("no such code")
			}
			return 3, nil
		},
		Publish: func(r *PublishRequest) (int, error) {
			d.note("publish %s %s %s", r.Channel, r.Type, r.Payload)
			return 2, nil
		},
		LogSession: func(id ID, long time.Duration) bool {
			d.note("log %d %v", id, long)
			return id == 7
		},
		LogLevel: func() string { return "info" },
	}
}

const (
	oneSession = `{"id":"4611686018427387904","plugin":"p","route":"r","remote_address":"a","transport":"websocket","opened":"1970-01-01T00:00:00Z","channels":[],"outbox_bytes":0,"in_flight":0}`
	notFound   = "not found"
)

func TestAPI(t *testing.T) {
	d := &desk{}
	url := start(t, Config{Control: d.control()})
	const closing, publishing = "/api/sessions/close", "/api/publish"
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
		asked                    string
	}{
		{"status", "GET", "/api/status", "", 200, `{"version":"v1","pid":0,"started":"0001-01-01T00:00:00Z","ready":false,"sessions":0,"plugins":[]}`, ""},
		{"sessions", "GET", "/api/sessions", "", 200, `{"sessions":[` + oneSession + `],"next":"4611686018427387904"}`, "sessions {User: Realm: Plugin: Route: Channel: Limit:100 After:0}"},
		{"no sessions", "GET", "/api/sessions?user=nobody", "", 200, `{"sessions":[]}`, "sessions {User:nobody Realm: Plugin: Route: Channel: Limit:100 After:0}"},
		{"filters", "GET", "/api/sessions?user=a%20b&realm=x&plugin=p&route=/r&channel=c&limit=1000&after=9", "", 200, `{"sessions":[` + oneSession + `],"next":"4611686018427387904"}`, "sessions {User:a b Realm:x Plugin:p Route:/r Channel:c Limit:1000 After:9}"},
		{"sessions, head", "HEAD", "/api/sessions", "", 200, "", "sessions {User: Realm: Plugin: Route: Channel: Limit:100 After:0}"},
		{"unknown filter", "GET", "/api/sessions?usr=1", "", 400, `there is no parameter "usr"`, ""},
		{"a filter twice", "GET", "/api/sessions?user=1&user=2", "", 400, `"user" is there twice`, ""},
		{"bad query", "GET", "/api/sessions?user=%zz", "", 400, "the query is not URL-encoded", ""},
		{"limit 0", "GET", "/api/sessions?limit=0", "", 400, `"limit" is a number from 1 to 1000`, ""},
		{"limit 1001", "GET", "/api/sessions?limit=1001", "", 400, `"limit" is a number from 1 to 1000`, ""},
		{"limit of words", "GET", "/api/sessions?limit=many", "", 400, `"limit" is a number from 1 to 1000`, ""},
		{"after words", "GET", "/api/sessions?after=x", "", 400, "a session's id is a number, as GET /api/sessions shows it", ""},
		{"after 0", "GET", "/api/sessions?after=0", "", 400, "a session's id is a number, as GET /api/sessions shows it", ""},
		{"sessions, put", "PUT", "/api/sessions", "", 405, "method not allowed", ""},
		{"session", "GET", "/api/sessions/4611686018427387904", "", 200, oneSession, ""},
		{"no such session", "GET", "/api/sessions/5", "", 404, "there is no such session", ""},
		{"no id", "GET", "/api/sessions/x", "", 400, "a session's id is a number, as GET /api/sessions shows it", ""},
		{"id too large", "GET", "/api/sessions/9223372036854775808", "", 400, "a session's id is a number, as GET /api/sessions shows it", ""},
		{"empty id", "GET", "/api/sessions/", "", 404, notFound, ""},
		{"below an id", "GET", "/api/sessions/5/x", "", 404, notFound, ""},
		{"session, post", "POST", "/api/sessions/5", "{}", 405, "method not allowed", ""},

		{"close a user", "POST", closing, `{"user":"38","code":4001,"reason":"out"}`, 200, `{"closed":3}`, "close {IDs:[] User:38 Realm: Route: Code:4001 Reason:out}"},
		{"close ids", "POST", closing, `{"ids":["7","9223372036854775807"]}`, 200, `{"closed":3}`, "close {IDs:[7 9223372036854775807] User: Realm: Route: Code:0 Reason:}"},
		{"close a route", "POST", closing, ` {"route":"/r"} `, 200, `{"closed":3}`, "close {IDs:[] User: Realm: Route:/r Code:0 Reason:}"},
		{"close, refused", "POST", closing, `{"user":"38","code":1}`, 400, "no such code", "close {IDs:[] User:38 Realm: Route: Code:1 Reason:}"},
		{"close nobody", "POST", closing, `{}`, 400, `exactly one of "ids", "user" and "route" says which sessions are closed`, ""},
		{"close in two ways", "POST", closing, `{"user":"1","ids":["2"]}`, 400, `exactly one of "ids", "user" and "route" says which sessions are closed`, ""},
		{"close a realm", "POST", closing, `{"route":"/r","realm":"x"}`, 400, `"realm" is that of a "user"`, ""},
		{"close a number", "POST", closing, `{"ids":[7]}`, 400, `"ids" is of the wrong type`, ""},
		{"close no number", "POST", closing, `{"ids":["x"]}`, 400, "a session's id is a number, as GET /api/sessions shows it", ""},
		{"close with a slip", "POST", closing, `{"user":"1","raeson":"x"}`, 400, `there is no member "raeson"`, ""},
		{"close, a list", "POST", closing, `[]`, 400, "the body is not a JSON object", ""},
		{"close, nothing", "POST", closing, ``, 400, "the body is not a JSON object", ""},
		{"close, half", "POST", closing, `{"user":`, 400, "the body is not a JSON object", ""},
		{"close, two", "POST", closing, `{"user":"1"}{}`, 400, "the body is not a JSON object", ""},
		{"close, null", "POST", closing, `null`, 400, "the body is not a JSON object", ""},
		{"close, wrong type", "POST", closing, `{"user":38}`, 400, `"user" is of the wrong type`, ""},
		{"close, get", "GET", closing, "", 405, "method not allowed", ""},
		{"close, too large", "POST", closing, `{"user":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "the body is larger than 1 MiB", ""},

		{"publish", "POST", publishing, `{"channel":"news","type":"t","payload":{"b":1463786910324359168,"a":1.0}}`, 200, `{"receivers":2}`, `publish news t {"b":1463786910324359168,"a":1.0}`},
		{"publish null", "POST", publishing, `{"channel":"news","type":"t","payload":null}`, 200, `{"receivers":2}`, "publish news t null"},
		{"publish nothing", "POST", publishing, `{"channel":"news","type":"t"}`, 400, `"payload" is missing`, ""},
		{"publish no type", "POST", publishing, `{"channel":"news","payload":1}`, 400, `"type" is missing`, ""},
		{"publish nowhere", "POST", publishing, `{"type":"t","payload":1}`, 400, `"channel" is missing`, ""},

		{"log a session", "POST", "/api/sessions/7/log", `{"seconds":60}`, 200, `{"seconds":60}`, "log 7 1m0s"},
		{"log no session", "POST", "/api/sessions/8/log", `{"seconds":3600}`, 404, "there is no such session", "log 8 1h0m0s"},
		{"log for ever", "POST", "/api/sessions/7/log", `{"seconds":3601}`, 400, `"seconds" is a number from 1 to 3600`, ""},
		{"log for no time", "POST", "/api/sessions/7/log", `{}`, 400, `"seconds" is a number from 1 to 3600`, ""},
		{"log no id", "POST", "/api/sessions/x/log", `{"seconds":1}`, 400, "a session's id is a number, as GET /api/sessions shows it", ""},
		{"log, get", "GET", "/api/sessions/7/log", "", 405, "method not allowed", ""},

		{"log level", "GET", "/api/log-level", "", 200, `{"level":"info"}`, ""},
		{"log level is for the socket", "POST", "/api/log-level", `{"level":"debug"}`, 405, "method not allowed", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d.asked = nil
			status, body := send(t, http.DefaultTransport, tt.method, url+tt.path, tt.body, http.Header{"Content-Type": {"application/json"}})
			if status != tt.status || body != tt.want || strings.Join(d.asked, "; ") != tt.asked {
				t.Errorf("%s %s %.80s: got %d %s, asked %q\nwant %d %s, %q", tt.method, tt.path, tt.body, status, body, d.asked, tt.status, tt.want, tt.asked)
			}
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func send(t *testing.T, by http.RoundTripper, method, url, body string, headers http.Header) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = headers
	if host := headers.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := by.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(got))
}

// TestOtherSites: no page of another site does anything here by the browser of an operator.
func TestOtherSites(t *testing.T) {
	const body = `{"user":"38"}`
	tests := []struct {
		name   string
		header http.Header
		status int
	}{
		{"no browser", http.Header{}, 200},
		{"cross-site POST", http.Header{"Origin": {"https://evil.example"}}, 403},
		{"cross-site POST, as browsers say today", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"another port of this machine", http.Header{"Origin": {"http://localhost:3000"}, "Sec-Fetch-Site": {"same-site"}}, 403},
		{"a page without an origin", http.Header{"Origin": {"null"}}, 403},
		{"a form", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 415},
		{"a form of text", http.Header{"Content-Type": {"text/plain"}}, 415},
		{"no type", http.Header{"Content-Type": {""}}, 415},
		{"JSON by another name", http.Header{"Content-Type": {"application/json; charset=utf-8"}}, 200},
		{"DNS rebinding", http.Header{"Host": {"evil.example"}, "Origin": {"http://evil.example"}, "Sec-Fetch-Site": {"same-origin"}}, 403},
		{"DNS rebinding, without an origin", http.Header{"Host": {"evil.example:6780"}}, 403},
		{"its own page", http.Header{"Host": {"localhost:1"}, "Origin": {"http://localhost:1"}, "Sec-Fetch-Site": {"same-origin"}}, 200},
	}
	d := &desk{}
	open := start(t, Config{Control: d.control()})
	known := start(t, Config{Control: d.control(), Authorize: func(*http.Request) int { return 200 }})
	for _, tt := range tests {
		for name, url := range map[string]string{"without auth": open, "with auth": known} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				if tt.header.Get("Content-Type") == "" && tt.header["Content-Type"] == nil {
					tt.header.Set("Content-Type", "application/json")
				}
				want := tt.status
				if name == "with auth" && strings.HasPrefix(tt.name, "DNS") {
					want = 200 // it has a name of its own there, and a page has no password for another
				}
				d.asked = nil
				status, text := send(t, http.DefaultTransport, "POST", url+"/api/sessions/close", body, tt.header)
				if status != want || (len(d.asked) > 0) != (want == 200) {
					t.Errorf("%v: got %d %s, asked %q, want %d", tt.header, status, text, d.asked, want)
				}
			})
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestNothingToControl: what nobody answers is not there.
func TestNothingToControl(t *testing.T) {
	url := start(t, Config{})
	for _, path := range []string{"/api/status", "/api/sessions", "/api/sessions/7", "/api/sessions/close", "/api/sessions/7/log", "/api/publish", "/api/log-level"} {
		for _, method := range []string{"GET", "POST"} {
			if status, text := send(t, http.DefaultTransport, method, url+path, "{}", http.Header{}); status != 404 {
				t.Errorf("%s %s: %d %s", method, path, status, text)
			}
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestSocket: who may open it may do everything, and nobody else may open it.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = stale.Close()

	d := &desk{}
	level := "info"
	control := d.control()
	control.SetLogLevel = func(l string) error {
		if l == "loud" {
			return errors.New("no such level")
		}
		level = l
		return nil
	}
	s := New(Config{Socket: path, Control: control, Authorize: func(*http.Request) int { return 401 }})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	by := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	for _, tt := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/api/log-level", `{"level":"debug"}`, 200, `{"level":"debug"}`},
		{"/api/log-level", `{"level":"loud"}`, 400, "no such level"},
		{"/api/log-level", `{"volume":1}`, 400, `there is no member "volume"`},
		{"/api/sessions/close", `{"user":"38"}`, 200, `{"closed":3}`},
	} {
		status, text := send(t, by, "POST", "http://bridge"+tt.path, tt.body, http.Header{"Content-Type": {"application/json"}})
		if status != tt.status || text != tt.want {
			t.Errorf("%s %s: got %d %s, want %d %s", tt.path, tt.body, status, text, tt.status, tt.want)
		}
	}
	if level != "debug" {
		t.Errorf("level %s", level)
	}
	s.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}

func TestSocketRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"something else is there": file,
		"no folder":               filepath.Join(dir, "x", "s"),
	} {
		if err := New(Config{Socket: path}).Listen(); err == nil || errors.Is(err, ErrSocketPath) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	if err := New(Config{Socket: filepath.Join(dir, strings.Repeat("x", 108))}).Listen(); !errors.Is(err, ErrSocketPath) {
		t.Errorf("long path: %v", err)
	}
}

// FuzzBody: whatever is posted is taken whole or refused in a line, and what is taken stays what it was.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"ids":["7"],"code":1000}`, `{"user":"38","realm":"static.dev","reason":"x"}`, `{"channel":"c","type":"t","payload":{"a":[1.0,null]}}`,
		`{"seconds":60}`, `{"level":"debug"}`, `{"x":1}`, `[]`, `{`, "{}\n{}", "\ufeff{}", `{"payload":1e400,"channel":"c","type":"t"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, v := range []any{&CloseRequest{}, &PublishRequest{}, &LogRequest{}, &LogLevel{}} {
			err := decode(text, v)
			if err != nil {
				if message := err.Error(); message == "" {
					t.Errorf("%q: no word", text)
				}
				continue
			}
			again := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			out, err := json.Marshal(v)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if p, ok := v.(*PublishRequest); ok && !bytes.Contains(text, p.Payload) {
				t.Errorf("%q: payload %q", text, p.Payload)
			}
			if _, ok := v.(*CloseRequest); ok {
				continue // an empty list of ids is none when it is written again
			}
			if err := decode(out, again); err != nil {
				t.Errorf("%q became %q: %v", text, out, err)
			}
		}
	})
}
