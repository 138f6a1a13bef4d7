package upstream

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

func TestDev(t *testing.T) {
	t.Parallel()
	p := NewDev()
	defer p.Close()
	for _, payload := range [][]byte{nil, []byte(`{"a":1}`)} {
		got := ask(t, p, &upstream.Request{Payload: payload})
		if a := got[0]; len(got) != 1 || a.Outcome != upstream.OK || string(a.Payload) != string(payload) || (a.Payload == nil) != (payload == nil) {
			t.Errorf("%q is answered %+v", payload, a)
		}
	}
	if p.Kind() != "dev" {
		t.Errorf("its kind is %q", p.Kind())
	}
}

func TestLoguxRequest(t *testing.T) {
	t.Parallel()
	bodies := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- fmt.Sprintf("%s %s %s %d %v\n%s", r.Method, r.URL, r.Header.Get("Content-Type"), r.ContentLength, r.TransferEncoding, b)
		respond(w, done)
	}))
	defer s.Close()
	for version, want := range map[int]string{
		0: `{"version":4,"secret":"` + secret + `","commands":[{"command":"action","action":{"type":"hello","payload":{"text":"hello","n":1.00}},"meta":{"id":"$","time":1560954012838},"headers":{}}]}`,
		1: `{"version":1,"password":"` + secret + `","secret":"` + secret + `","commands":[["action",{"type":"hello","payload":{"text":"hello","n":1.00}},{"id":"$","time":1560954012838}]]}`,
	} {
		p := pool(t, LoguxConfig{URL: s.URL + "/logux?x=1", Version: version})
		works(t, p)
		want = fill(want)
		want = fmt.Sprintf("POST /logux?x=1 application/json %d []\n%s", len(want), want)
		if got := <-bodies; got != want {
			t.Errorf("version %d asks\n%s, want\n%s", version, got, want)
		}
		if p.Kind() != "logux" {
			t.Errorf("its kind is %q", p.Kind())
		}
	}
}

func TestNewLoguxErrors(t *testing.T) {
	t.Parallel()
	for _, cfg := range []LoguxConfig{
		{},
		{URL: "localhost:3000"},
		{URL: "/logux"},
		{URL: "ftp://x/"},
		{URL: "http://"},
		{URL: "http://[::1"},
		{URL: "http://u:" + secret + "@[::1"},
		{URL: "ftp://u:" + secret + "@x/"},
		{URL: "http://x", Version: 5},
		{URL: "http://x", Version: -1},
	} {
		_, err := NewLogux(cfg)
		if err == nil {
			t.Errorf("%+v is accepted", cfg)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in %q", err)
		}
	}
}

func TestLoguxAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answer  http.HandlerFunc
		outcome upstream.Outcome
		payload string
		detail  string
		count   int // of answers; 0 means any
	}{
		{"at once", text(`[` + approved + `,["action","$",{"type":"x","payload":{"n":1.00}}],` + processed + `]`), upstream.OK, `{"n":1.00}`, "", 1},
		{"after 50 ms", func(w http.ResponseWriter, r *http.Request) {
			after(r, 50*time.Millisecond)
			respond(w, done)
		}, upstream.OK, `{}`, "", 1},
		{"of type text/html with status 201", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusCreated)
			respond(w, done+"<!-- 3 ms -->")
		}, upstream.OK, `{}`, "", 0},
		{"byte by byte", func(w http.ResponseWriter, _ *http.Request) {
			for _, c := range []byte(fill(`[` + approved + `,["action","$",{"type":"x","payload":"äöü😀\ud83d\ude00"}],` + processed + `]`)) {
				_, _ = w.Write([]byte{c})
				_ = http.NewResponseController(w).Flush()
			}
		}, upstream.OK, `"äöü😀\ud83d\ude00"`, "", 0},
		{"forbidden", text(`[["forbidden","$"]]`), upstream.Denied, "", "", 1},
		{"unknown", text(`[["unknownAction","$"]]`), upstream.UnknownType, "", "", 1},
		{"error", text(`[["error","$","it sent ` + secret + ` to me"]]`), upstream.Error, "", "it sent *** to me", 1},
		{"approved alone", text(`[` + approved + `]`), upstream.Error, "", "ended without", 1},
		{"no answers", text(`[]`), upstream.Unavailable, "", "nothing for this question", 1},
		{"empty", text(``), upstream.Unavailable, "", "empty", 1},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, upstream.Unavailable, "", "empty", 1},
		{"HTML", text(`<!DOCTYPE html><p>It works!</p>`), upstream.Unavailable, "", "not JSON at byte 0", 1},
		{"object", text(`{"ok":true}`), upstream.Unavailable, "", "not an array", 1},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, upstream.Unavailable, "", "status 307", 1},
		{"wrong secret", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "Wrong secret "+secret)
		}, upstream.Unavailable, "", `status 403: "Wrong secret ***"`, 1},
		{"failure", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, upstream.Unavailable, "", "status 500", 1},
		{"huge element", func(w http.ResponseWriter, _ *http.Request) {
			respond(w, `[["error","`+strings.Repeat("x", 100_000)+`"]]`)
		}, upstream.Unavailable, "", "element is too large", 1},
		{"huge", func(w http.ResponseWriter, _ *http.Request) {
			for range 2000 {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1000)); err != nil {
					return
				}
			}
		}, upstream.Unavailable, "", "too large", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := backend(t, test.answer)
			p := pool(t, LoguxConfig{URL: s.URL, MaxAnswerBytes: 1 << 20, MaxElementBytes: 50_000})
			for range 2 { // also on a connection that had this
				list := ask(t, p, question())
				var payload []byte
				for _, a := range list {
					if a.Payload != nil {
						payload = a.Payload
					}
				}
				a := last(list)
				if a.Outcome != test.outcome || string(payload) != test.payload || !strings.Contains(a.Detail, test.detail) {
					t.Errorf("%v %s %q, want %v %s %q", a.Outcome, payload, a.Detail, test.outcome, test.payload, test.detail)
				}
				if test.count != 0 && len(list) != test.count {
					t.Errorf("there are %d answers, want %d", len(list), test.count)
				}
			}
		})
	}
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { respond(w, body) }
}

// after waits, or until the client is gone.
func after(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// Each piece must be handed on before the back-end writes the next: it may wait for what it causes.
func TestLoguxStreams(t *testing.T) {
	t.Parallel()
	proceed := make(chan struct{})
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		for _, part := range []string{
			`[["resend","$",{"channels":["news"]}],`, approved + ",", `["action","$",{"type":"a","payload":1}],`, processed + `]`,
		} {
			respond(w, part)
			if strings.HasPrefix(part, `[["resend"`) {
				continue // says nothing yet
			}
			select {
			case <-proceed:
			case <-r.Context().Done():
			}
		}
	})
	var got []string
	pool(t, LoguxConfig{URL: s.URL}).Ask(t.Context(), question(), func(a *upstream.Answer) {
		got = append(got, fmt.Sprintf("%s %d %v", a.Payload, len(a.Items), a.Last))
		proceed <- struct{}{}
	})
	want := []string{" 1 false", "1 0 false", " 0 true"}
	if !slices.Equal(got, want) {
		t.Errorf("the answers are %q, want %q", got, want)
	}
}

func TestLoguxManyAnswers(t *testing.T) {
	t.Parallel()
	const many = 10_000
	s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, fill(`[`+approved))
		for i := range many {
			_, _ = io.WriteString(w, fill(fmt.Sprintf(`,["action","$",{"type":"a","payload":%d},{"channel":"c"}]`, i)))
		}
		_, _ = io.WriteString(w, fill(`,`+processed+`]`))
	})
	p := pool(t, LoguxConfig{URL: s.URL})
	var items []upstream.Item
	list := ask(t, p, question())
	for _, a := range list {
		items = append(items, a.Items...)
	}
	if len(items) != many || last(list).Outcome != upstream.OK {
		t.Errorf("there are %d items, then %v, want %d", len(items), last(list).Outcome, many)
	}
	for i, item := range items {
		if string(item.Payload) != strconv.Itoa(i) {
			t.Fatalf("item %d is %s", i, item.Payload)
		}
	}

	req := question()
	req.Raw = []byte(fill(`["action",{"type":"x"},{"id":"$"}]`))
	if list = ask(t, p, req); len(list) != many+2 || last(list).Outcome != upstream.OK {
		t.Errorf("there are %d raw answers, then %v", len(list), last(list).Outcome)
	}
	req.Together = true
	list = ask(t, p, req)
	elements := 0
	for _, a := range list {
		if len(a.Raw) > 0 {
			elements += strings.Count(string(a.Raw), "],[") + 1
		}
	}
	if elements != many+2 || len(list) > many/4 || last(list).Outcome != upstream.OK {
		t.Errorf("together there are %d elements in %d answers, then %v", elements, len(list), last(list).Outcome)
	}
}

func TestLoguxManyAtOnce(t *testing.T) {
	t.Parallel()
	s := backend(t, text(done))
	p := pool(t, LoguxConfig{URL: s.URL, MaxConnections: 8})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				works(t, p)
			}
		})
	}
	wg.Wait()
}

// What cannot be asked is answered without asking.
func TestLoguxNotAsked(t *testing.T) {
	t.Parallel()
	s := backend(t, func(http.ResponseWriter, *http.Request) { t.Error("the back-end is asked") })
	p := pool(t, LoguxConfig{URL: s.URL})
	tests := []struct {
		change func(*upstream.Request)
		want   upstream.Outcome
	}{
		{func(r *upstream.Request) { r.UserID = "38:x" }, upstream.Denied},
		{func(r *upstream.Request) { r.UserID = "server" }, upstream.Denied},
		{func(r *upstream.Request) { r.Type = "logux/undo" }, upstream.UnknownType},
		{func(r *upstream.Request) { r.Payload = []byte(`{`) }, upstream.Error},
		{func(r *upstream.Request) { r.Raw = []byte(`["x"]`) }, upstream.Error},
		{func(r *upstream.Request) { r.Purpose = "closed" }, upstream.OK},
	}
	for _, test := range tests {
		req := question()
		test.change(req)
		if a := last(ask(t, p, req)); a.Outcome != test.want {
			t.Errorf("%+v ends %v, want %v", req, a.Outcome, test.want)
		}
	}
}

func TestLoguxAuthenticate(t *testing.T) {
	t.Parallel()
	user := "38"
	var body []byte
	answer := `[{"answer":"authenticated","authId":"i","subprotocol":"1.2.0"}]`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, answer)
	}))
	defer s.Close()
	p := pool(t, LoguxConfig{URL: s.URL}).(Authenticator) //nolint:forcetypeassert // as NewLogux says
	got := p.Authenticate(t.Context(), &logux.Auth{ID: "i", UserID: &user, Token: []byte(`"t"`)})
	if got.Outcome != upstream.OK || *got.UserID != "38" || got.Subprotocol != "1.2.0" {
		t.Errorf("the result is %+v", got)
	}
	want := `{"version":4,"secret":"` + secret + `","commands":[{"command":"auth","authId":"i","userId":"38","token":"t","subprotocol":"0.0.0","cookie":{},"headers":{}}]}`
	if string(body) != want || !json.Valid(body) {
		t.Errorf("it asks %s, want %s", body, want)
	}
	answer = `[["error","` + secret + ` is wrong"]]`
	got = p.Authenticate(t.Context(), &logux.Auth{ID: "i"})
	if got.Outcome != upstream.Error || got.Detail != "*** is wrong" {
		t.Errorf("the result is %+v", got)
	}
	p.(Pool).Close() //nolint:forcetypeassert // it came as one
	if got = p.Authenticate(t.Context(), &logux.Auth{ID: "i"}); got.Outcome != upstream.Unavailable {
		t.Errorf("behind the end the result is %+v", got)
	}
}

// An answer of 16 KiB comes in several pieces; what each answer holds is its receiver's.
func TestLoguxAnswersAreOwned(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789", 1000)
	s := backend(t, text(`[["resend","$",{"channel":"c"}],`+approved+`,["action","$",{"type":"a","payload":"`+large+`"}],`+
		`["action","$",{"type":"b","payload":"`+large+`"},{"user":"1"}],`+processed+`]`))
	p := pool(t, LoguxConfig{URL: s.URL, MaxConnections: 1})
	first := ask(t, p, question())
	copies := make([]string, len(first))
	for i, a := range first {
		copies[i] = fmt.Sprintf("%+v", *a)
	}
	for range 3 {
		works(t, p)
	}
	for i, a := range first {
		if got := fmt.Sprintf("%+v", *a); got != copies[i] {
			t.Errorf("answer %d has become %.200s", i, got)
		}
	}
	if len(first) < 2 {
		t.Errorf("it came in %d pieces", len(first))
	}
}
