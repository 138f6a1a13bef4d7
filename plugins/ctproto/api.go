package ctproto

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// roleAPI is the role of routes on which back-ends reach clients.
const roleAPI = "api"

// What is served below an API route; the call that does it has the same tag.
const (
	updatesPath = "updates"
	closePath   = "close"
)

// maxBody is how large a request may be.
const maxBody = 1 << 20

// refusal is a request that is refused: an HTTP status and a sentence for whoever wrote it.
type refusal struct {
	status int
	text   string
}

// api handles the events of an HTTP request. It keeps no state: what was asked for is in the tag of
// the call that does it.
func (p *Plugin) api(s *session, ev sdk.Event) {
	switch e := ev.(type) {
	case sdk.Request:
		if r := p.serve(s, e); r != nil {
			respondError(s, *r)
		}
	case sdk.Answer:
		p.served(s, e)
	}
}

// serve makes the call that a request asks for, or says why not.
func (p *Plugin) serve(s *session, e sdk.Request) *refusal {
	path := endpoint(s)
	switch {
	case path != updatesPath && path != closePath:
		return &refusal{http.StatusNotFound, "There is nothing here; POST to updates or close."}
	case s.Info().Method != http.MethodPost:
		return &refusal{http.StatusMethodNotAllowed, "The method is not POST."}
	case !mayWrite(s.Identity()):
		return &refusal{http.StatusForbidden, `The user has no role "write".`}
	case e.Streamed || len(e.Body) > maxBody:
		return &refusal{http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB."}
	case !isJSON(s.Info().Header("content-type")):
		return &refusal{http.StatusUnsupportedMediaType, "The Content-Type is not application/json."}
	}
	read := readUpdate
	if path == closePath {
		read = readClose
	}
	sel, err := read(e.Body)
	if err != nil {
		return &refusal{http.StatusBadRequest, err.Error()}
	}
	s.Call(sdk.Call{Tag: path, Target: sel})
	return nil
}

// endpoint is the part of the path below the route, or the last one where the path is another of the
// route's.
func endpoint(s *session) string {
	path, base := s.Info().Path, strings.TrimSuffix(s.Route().Path, "*")
	if rest, ok := strings.CutPrefix(path, base); ok && strings.HasSuffix(base, "/") {
		return rest
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}

// mayWrite says whether somebody may act on sessions. Without an identity it is whoever the core let
// in: the route has no auth, which it may on loopback alone.
func mayWrite(id *sdk.Identity) bool {
	if id == nil {
		return true
	}
	may := false
	for key, value := range rawjson.Members(id.Claims) {
		if rawjson.Equal(key, "roles") {
			may = false
			for role := range rawjson.Elements(value) {
				may = may || rawjson.Equal(role, "write")
			}
		}
	}
	return may
}

// isJSON says whether a body is said to be JSON: what a form of another site cannot say.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

// served answers the request when its call is done.
func (p *Plugin) served(s *session, a sdk.Answer) {
	switch {
	case !a.Last:
	case a.Outcome == sdk.OutcomeOK:
		body := strconv.AppendInt([]byte(`{"matched":`), int64(a.Count), 10)
		if a.Tag == updatesPath {
			body = strconv.AppendInt(append(body, `,"sent":`...), int64(a.Count), 10)
		}
		respond(s, http.StatusOK, append(body, '}'))
	case a.Outcome == sdk.OutcomeDenied:
		reason := a.Reason
		if reason == "" {
			reason = "forbidden"
		}
		respondError(s, refusal{http.StatusForbidden, reason})
	default:
		respondError(s, refusal{http.StatusServiceUnavailable, "The outcome is unknown; some clients may have been reached."})
	}
}

func respondError(s *session, r refusal) {
	body := append(rawjson.AppendString([]byte(`{"error":`), r.text), '}')
	if r.status == http.StatusMethodNotAllowed {
		respond(s, r.status, body, sdk.Header{Name: "allow", Value: http.MethodPost})
		return
	}
	respond(s, r.status, body)
}

func respond(s *session, status int, body []byte, headers ...sdk.Header) {
	headers = append(headers, sdk.Header{Name: "content-type", Value: "application/json"})
	s.Respond(sdk.Response{Status: status, Headers: headers, Body: body})
}
