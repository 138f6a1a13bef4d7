package mesh

import (
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// What is served behind the base of an API's paths.
const (
	sendPath    = "v1/mesh/send"
	publishPath = "v1/mesh/publish"
	nodesPath   = "v1/nodes"
	versionPath = "version"
	wsPath      = "ws/v1"
)

// Tags of calls: behind them stands the request's id, over HTTP nothing.
const (
	sendTag    = "s"
	publishTag = "p"
	callTag    = "c"
	popTag     = "q" // before the number of the request, a colon and its id
	nodesTag   = "n"
)

// http handles the events of a plain request.
func (p *Plugin) http(s *session, ev sdk.Event) {
	switch e := ev.(type) {
	case sdk.Request:
		p.serve(s, e.Body)
	case sdk.Answer:
		if e.Last {
			p.served(s, &e)
		}
	}
}

// serve makes the call that a request asks for, or answers at once.
func (p *Plugin) serve(s *session, body []byte) {
	allow, id := http.MethodPost, s.Identity()
	path := endpoint(s)
	may := mayWrite
	switch path {
	case sendPath, publishPath:
	case nodesPath, versionPath:
		allow, may = http.MethodGet, mayRead
	case wsPath:
		refuse(s, http.StatusUpgradeRequired, "upgrade required", sdk.Header{Name: "sec-websocket-version", Value: "13"})
		return
	default:
		refuse(s, http.StatusNotFound, "not found")
		return
	}
	switch {
	case s.Info().Method != allow:
		refuse(s, http.StatusMethodNotAllowed, "method not allowed", sdk.Header{Name: "allow", Value: allow})
	case !may(id):
		refuse(s, http.StatusForbidden, forbidden.text)
	case len(body) > 2*int(p.config.MaxMessage)+envelope:
		refuse(s, http.StatusRequestEntityTooLarge, "request entity too large")
	case path == versionPath:
		respond(s, http.StatusOK, []byte(`{"apis":["v1"]}`))
	case path == nodesPath:
		s.Call(sdk.Call{Tag: nodesTag, Target: sdk.Nodes{}})
	default:
		p.ask(s, path, body)
	}
}

// ask makes the call for a send or a publish.
func (p *Plugin) ask(s *session, path string, body []byte) {
	if !utf8.Valid(body) || !rawjson.Valid(body) {
		respond(s, http.StatusOK, faultOf(invalid("invalid json"), nil))
		return
	}
	tag, read := sendTag, p.readSend
	if path == publishPath {
		tag, read = publishTag, p.readPublish
	}
	target, f := read(body)
	if f != nil {
		respond(s, http.StatusOK, faultOf(f, nil))
		return
	}
	s.Call(sdk.Call{Tag: tag, Target: target})
}

// served answers a request whose call is over.
func (p *Plugin) served(s *session, a *sdk.Answer) {
	if a.Tag == nodesTag {
		if a.Outcome != sdk.OutcomeOK {
			refuse(s, http.StatusServiceUnavailable, "cut off from the cluster")
			return
		}
		respond(s, http.StatusOK, nodes(s, a.Nodes))
		return
	}
	result, f := p.outcome(a)
	switch {
	case f == nil:
		respond(s, http.StatusOK, resultOf(result, nil))
	case a.Outcome == sdk.OutcomeDenied:
		refuse(s, http.StatusForbidden, f.text)
	case a.Outcome != sdk.OutcomeOK:
		respond(s, http.StatusServiceUnavailable, faultOf(f, nil))
	default:
		respond(s, http.StatusOK, faultOf(f, nil))
	}
}

// outcome is the result of a call, or what the back-end is told instead.
func (p *Plugin) outcome(a *sdk.Answer) (result string, f *fault) {
	failed := invalid("the outcome is unknown")
	switch a.Tag[:1] {
	case sendTag:
		failed = &fault{codeSend, "failed to send"}
	case callTag:
		failed = &fault{codeExecute, "execution failed"}
	}
	switch {
	case a.Outcome == sdk.OutcomeDenied:
		return "", forbidden
	case a.Outcome != sdk.OutcomeOK:
		return "", failed
	case a.Tag[:1] == publishTag:
		return p.counts(a.Count, a.Failed), nil
	case a.Count == 0:
		return "", failed
	}
	return done, nil
}

// nodes is the list of nodes: this one, and those of which it is known where back-ends reach them.
func nodes(s *session, list []sdk.Node) []byte {
	out := []byte(`{"nodes":[`)
	for i, n := range list {
		server := string(n.About)
		switch {
		case i == 0 && configOf(s).APIServer != "":
			server = configOf(s).APIServer
		case i == 0 && server == "":
			server = s.Info().Host
		case server == "":
			continue
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(append(out, `{"id":"`...), int64(n.Number), 10)
		out = rawjson.AppendString(append(out, `","api_server":`...), server)
		out = append(out, '}')
	}
	return append(out, "]}"...)
}

func refuse(s *session, status int, text string, headers ...sdk.Header) {
	respond(s, status, faultOf(invalid(text), nil), headers...)
}

func respond(s *session, status int, body []byte, headers ...sdk.Header) {
	headers = append(headers, sdk.Header{Name: "content-type", Value: "application/json"})
	s.Respond(sdk.Response{Status: status, Headers: headers, Body: body})
}
