package logux

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

// maxBody is how large a request may be.
const maxBody = 10 << 20

// maxWrong is how many wrong secrets of an address within 3 seconds are too many.
const maxWrong = 3

// refusal is a request that is refused: an HTTP status and a text that libraries and their tests know.
type refusal struct {
	status int
	text   string
}

var (
	wrongPath    = &refusal{http.StatusNotFound, "Wrong path"}
	wrongMethod  = &refusal{http.StatusMethodNotAllowed, "Wrong method"}
	wrongAddress = &refusal{http.StatusForbidden, "IP address is not in LOGUX_CONTROL_MASK/controlMask"}
	tooLarge     = &refusal{http.StatusRequestEntityTooLarge, "Body is larger than 10 MiB"}
	wrongFormat  = &refusal{http.StatusBadRequest, "Wrong format"}
	wrongBody    = &refusal{http.StatusBadRequest, "Wrong body"}
	wrongVersion = &refusal{http.StatusBadRequest, "Back-end protocol version is not supported"}
	tooManyWrong = &refusal{http.StatusTooManyRequests, "Too many wrong secret attempts"}
	wrongSecret  = &refusal{http.StatusForbidden, "Wrong secret"}
	wrongCommand = &refusal{http.StatusBadRequest, "Wrong command"}
)

// refuse answers a request that is refused.
func refuse(s *session, r *refusal) {
	headers := plainText()
	if r == wrongMethod {
		headers = append(headers, sdk.Header{Name: "allow", Value: "GET, POST"})
	}
	s.Respond(sdk.Response{Status: r.status, Headers: headers, Body: []byte(r.text)})
}

func plainText() []sdk.Header {
	return []sdk.Header{{Name: "content-type", Value: "text/plain; charset=utf-8"}}
}

// endpoint is the part of a request's path that counts: below the route's own, which is "/" then. On
// one of the route's other paths it is "/" too, unless that is named like a page.
func endpoint(s *session) string {
	path, base := s.Info().Path, strings.TrimSuffix(strings.TrimSuffix(s.Route().Path, "*"), "/")
	switch rest, ok := strings.CutPrefix(path, base); {
	case ok && rest == "":
		return "/"
	case ok && rest[0] == '/':
		return rest
	}
	if last := path[strings.LastIndexByte(path, '/'):]; isPage(last) {
		return last
	}
	return "/"
}

// isPage says whether a path is one that tells of the server's health: what monitors of old and new
// servers ask for.
func isPage(path string) bool { return path == "/health" || path == "/status" }

// envelope reads the body of a request and checks it, up to the secret. notJSON is what is said to one
// that is no JSON: there control endpoints and back-ends differ.
func (p *Plugin) envelope(s *session, e sdk.Request, secrets []sdk.Secret, notJSON *refusal) (logux.Envelope, *refusal) {
	if e.Streamed || len(e.Body) > maxBody {
		return logux.Envelope{}, tooLarge
	}
	env, err := logux.DecodeEnvelope(e.Body)
	switch {
	case errors.Is(err, logux.ErrNotJSON):
		return env, notJSON
	case errors.Is(err, logux.ErrShape):
		return env, wrongBody
	case err != nil:
		return env, wrongVersion
	}
	return env, p.guesses.check(s.Time(), s.Route().ID, s.Info().RemoteAddress, secrets, env.Secret)
}

// guesses counts wrong secrets by route and address. It lives in the process of the plugin, as beside it only
// spoken does: its death forgets who guessed within the last 3 seconds.
type guesses struct{ wrong *sdk.Attempts }

func newGuesses() guesses { return guesses{sdk.NewAttempts(0)} }

// check compares what somebody shows with the secrets. An address that guesses is told nothing of the
// next ones, right or wrong.
func (g guesses) check(now time.Time, route, address string, secrets []sdk.Secret, shown string) *refusal {
	address, _ = sdk.AddressName(address)
	name := route + " " + address
	if g.wrong.Count(now, name) >= maxWrong {
		return tooManyWrong
	}
	right := false
	for _, secret := range secrets { // all of them, so that time tells nothing
		right = secret.Equal(shown) || right
	}
	if !right {
		g.wrong.Add(now, name)
		return wrongSecret
	}
	return nil
}
