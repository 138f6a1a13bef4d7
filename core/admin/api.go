package admin

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Control is what can be asked about sessions and done to them; each function that is nil is not
// served. All are called by several goroutines. An error is for whoever asked, and answered 400.
type Control struct {
	Status   func() Status
	Sessions func(SessionQuery) SessionPage
	Session  func(ID) (SessionStatus, bool)
	// Close closes sessions and returns how many.
	Close func(*CloseRequest) (int, error)
	// Publish returns how many sessions were members of the channel.
	Publish func(*PublishRequest) (int, error)
	// LogSession logs what happens to a session for that long; false: there is no such session.
	LogSession func(ID, time.Duration) bool
	// LogLevel is debug, info, warn or error; SetLogLevel is for the control socket.
	LogLevel    func() string
	SetLogLevel func(string) error
	// Reload reads the configuration again, and is for the control socket. It may block for some
	// seconds; its error may have several lines.
	Reload func(context.Context) (Reloaded, error)
	// ExportQueues and ImportQueues are for the control socket. They return how many entries that were.
	ExportQueues func(ctx context.Context, to io.Writer) (int, error)
	ImportQueues func(ctx context.Context, from io.Reader) (int, error)
}

// endpoint is what a path serves, by method; nil: not that method.
type endpoint struct{ get, post http.HandlerFunc }

func (e endpoint) allow() string {
	switch {
	case e.get != nil && e.post != nil:
		return "GET, HEAD, POST"
	case e.post != nil:
		return "POST"
	}
	return "GET, HEAD"
}

func (e endpoint) of(method string) http.HandlerFunc {
	switch method {
	case http.MethodGet, http.MethodHead:
		return e.get
	case http.MethodPost:
		return e.post
	}
	return nil
}

// find returns what a path serves: nothing at all when it is unknown.
func (s *Server) find(path string) endpoint {
	if e, ok := s.endpoints[path]; ok {
		return e
	}
	id, ok := strings.CutPrefix(path, "/api/sessions/")
	if !ok {
		return endpoint{}
	}
	c := &s.cfg.Control
	id, log := strings.CutSuffix(id, "/log")
	switch {
	case strings.Contains(id, "/") || id == "":
	case log && c.LogSession != nil:
		return endpoint{post: func(w http.ResponseWriter, r *http.Request) { s.logSession(w, r, id) }}
	case !log && c.Session != nil:
		return endpoint{get: func(w http.ResponseWriter, _ *http.Request) { s.session(w, id) }}
	}
	return endpoint{}
}

func (s *Server) makeEndpoints() {
	c := &s.cfg.Control
	s.endpoints = map[string]endpoint{
		"/health":      {get: s.health},
		"/ready":       {get: s.ready},
		"/metrics":     {get: s.metrics().ServeHTTP},
		"/api/plugins": {get: s.plugins},
	}
	if c.Status != nil {
		s.endpoints["/api/status"] = endpoint{get: func(w http.ResponseWriter, _ *http.Request) { s.write(w, http.StatusOK, c.Status()) }}
	}
	if c.Sessions != nil {
		s.endpoints["/api/sessions"] = endpoint{get: s.sessions}
	}
	if c.Close != nil {
		s.endpoints["/api/sessions/close"] = endpoint{post: s.close}
	}
	if c.Publish != nil {
		s.endpoints["/api/publish"] = endpoint{post: s.publish}
	}
	var level endpoint
	if c.LogLevel != nil {
		level.get = func(w http.ResponseWriter, _ *http.Request) { s.write(w, http.StatusOK, LogLevel{c.LogLevel()}) }
	}
	if c.SetLogLevel != nil {
		level.post = s.setLogLevel
	}
	s.endpoints["/api/log-level"] = level
	if c.Reload != nil {
		s.endpoints["/api/reload"] = endpoint{post: s.reload}
	}
	if c.ExportQueues != nil {
		s.endpoints["/api/queues"] = endpoint{get: s.exportQueues, post: s.importQueues}
	}
}

func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	page := s.cfg.Control.Sessions(q)
	if page.Sessions == nil {
		page.Sessions = []SessionStatus{}
	}
	s.write(w, http.StatusOK, page)
}

// parseQuery refuses what it does not know: a filter with a slip in it would list everybody.
func parseQuery(raw string) (SessionQuery, error) {
	q := SessionQuery{Limit: DefaultPage}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, refusal("the query is not URL-encoded")
	}
	for name, list := range values {
		value := list[0]
		if len(list) > 1 {
			return q, refusal(strconv.Quote(name) + " is there twice")
		}
		switch name {
		case "user":
			q.User = value
		case "realm":
			q.Realm = value
		case "plugin":
			q.Plugin = value
		case "route":
			q.Route = value
		case "channel":
			q.Channel = value
		case "limit":
			if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > MaxPage {
				return q, refusal(`"limit" is a number from 1 to 1000`)
			}
		case "after":
			if q.After, err = ParseID(value); err != nil {
				return q, err
			}
		default:
			return q, refusal("there is no parameter " + strconv.Quote(name))
		}
	}
	return q, nil
}

func (s *Server) session(w http.ResponseWriter, text string) {
	id, err := ParseID(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	st, ok := s.cfg.Control.Session(id)
	if !ok {
		http.Error(w, noSession, http.StatusNotFound)
		return
	}
	s.write(w, http.StatusOK, st)
}

const noSession = "there is no such session"

func (s *Server) logSession(w http.ResponseWriter, r *http.Request, text string) {
	var req LogRequest
	if !body(w, r, &req) {
		return
	}
	id, err := ParseID(text)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case !s.cfg.Control.LogSession(id, time.Duration(req.Seconds)*time.Second):
		http.Error(w, noSession, http.StatusNotFound)
	default:
		s.write(w, http.StatusOK, req)
	}
}

func (s *Server) close(w http.ResponseWriter, r *http.Request) {
	var req CloseRequest
	if !body(w, r, &req) {
		return
	}
	n, err := s.cfg.Control.Close(&req)
	s.counted(w, "closed", n, err)
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	var req PublishRequest
	if !body(w, r, &req) {
		return
	}
	n, err := s.cfg.Control.Publish(&req)
	s.counted(w, "receivers", n, err)
}

func (s *Server) counted(w http.ResponseWriter, what string, n int, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.write(w, http.StatusOK, map[string]int{what: n})
}

func (s *Server) setLogLevel(w http.ResponseWriter, r *http.Request) {
	var req LogLevel
	if !body(w, r, &req) {
		return
	}
	if err := s.cfg.Control.SetLogLevel(req.Level); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.write(w, http.StatusOK, req)
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if !body(w, r, &struct{}{}) {
		return
	}
	done, err := s.cfg.Control.Reload(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if done.Changes == nil {
		done.Changes = []Change{}
	}
	s.write(w, http.StatusOK, done)
}
