package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what a [Server] needs.
type Config struct {
	// Address is host:port, of the loopback unless Authorize is set; port 0 takes a free one.
	Address string
	// Socket is the path of a unix socket to serve at instead: who may open it may do everything, so it
	// is made for this user alone, in place of one that was left behind. It goes with the Server.
	Socket string
	// Authorize says whether a request for anything but /health and /ready is served: by 200, or by the
	// status of its refusal, 401, 403 or 503. It may block. nil: everybody who reaches the address may.
	Authorize func(*http.Request) int
	// Metrics are what /metrics shows; nil: nothing.
	Metrics prometheus.Gatherer
	Logger  *slog.Logger // nil: nothing is logged
	// Plugins lists the plugins; nil: there are none. It is called by several goroutines.
	Plugins func() []PluginStatus
	// Ready lists why the node is not ready, nothing when it is; nil: it is. It is called by several
	// goroutines.
	Ready func() []string
	// Control is what there is beyond that.
	Control Control
}

// Server is the admin port. Make it with [New]; its methods are safe for concurrent use.
type Server struct {
	cfg       Config
	http      *http.Server
	endpoints map[string]endpoint
	foreign   *http.CrossOriginProtection // finds pages of other sites

	mu sync.Mutex
	ln net.Listener // guarded by mu
}

// New returns a server that does not listen yet.
func New(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, foreign: http.NewCrossOriginProtection()}
	s.makeEndpoints()
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.With("listener", "admin").Handler(), slog.LevelDebug),
	}
	return s
}

// ErrNotLoopback is why [Server.Listen] refuses an address.
var ErrNotLoopback = errors.New("the admin address is open to other machines and has no auth; use 127.0.0.1")

// Listen binds the address or makes the socket. An address beyond the loopback is refused with
// [ErrNotLoopback] where nobody says who may ask, the path of a socket with [ErrSocketPath] when it is
// too long for one.
func (s *Server) Listen() error {
	ln, err := s.bind()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln != nil {
		_ = ln.Close()
		return errors.New("the admin address was bound before")
	}
	s.ln = ln
	return nil
}

func (s *Server) bind() (net.Listener, error) {
	if s.cfg.Socket != "" {
		return listenSocket(s.cfg.Socket)
	}
	addr, err := net.ResolveTCPAddr("tcp", s.cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("admin address %q: %w", s.cfg.Address, err)
	}
	if !addr.IP.IsLoopback() && s.cfg.Authorize == nil {
		return nil, fmt.Errorf("admin address %q: %w", s.cfg.Address, ErrNotLoopback)
	}
	ln, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("admin address %q: %w", s.cfg.Address, err)
	}
	return ln, nil
}

// Addr is the address that is listened on, nil before [Server.Listen].
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln == nil {
		return nil
	}
	return s.ln.Addr()
}

// Serve serves until [Server.Close], and then returns nil, or until the address fails.
func (s *Server) Serve() error {
	s.mu.Lock()
	ln := s.ln
	s.mu.Unlock()
	if ln == nil {
		return errors.New("the admin address is not bound yet")
	}
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the admin address: %w", err)
	}
	return nil
}

// closeTimeout bounds the answers that are on their way when the server closes.
const closeTimeout = time.Second

// Close closes the address and waits, not for long, for answers on their way.
func (s *Server) Close() {
	s.mu.Lock()
	ln := s.ln
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	if ln != nil {
		_ = ln.Close() // it is not the HTTP server's when Serve was not called
	}
}

func (s *Server) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		at := s.find(r.URL.Path)
		serve := at.of(r.Method)
		anybody := r.URL.Path == "/health" || r.URL.Path == "/ready" || s.cfg.Socket != ""
		switch {
		case at.get == nil && at.post == nil:
			http.Error(w, "not found", http.StatusNotFound)
		case serve == nil:
			h.Set("Allow", at.allow())
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		case !anybody && s.cfg.Authorize == nil && !loopbackName(r.Host):
			// A page of another site that had its own name point here.
			http.Error(w, "ask for this by a loopback address", http.StatusForbidden)
		case s.foreign.Check(r) != nil:
			// A page of another site, in the browser of somebody who may do this.
			http.Error(w, "pages of other sites may not do this", http.StatusForbidden)
		case !anybody && !s.authorized(w, r):
		default:
			serve(w, r)
		}
	})
}

// authorized answers the request itself when it is not.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request) bool {
	if s.cfg.Authorize == nil {
		return true
	}
	status := s.cfg.Authorize(r)
	switch status {
	case http.StatusOK:
		return true
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="bridge", charset="UTF-8"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, strings.ToLower(http.StatusText(status)), status)
	return false
}

func (s *Server) metrics() http.Handler {
	var all prometheus.Gatherer = prometheus.Gatherers{}
	if s.cfg.Metrics != nil {
		all = s.cfg.Metrics
	}
	return promhttp.HandlerFor(all, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
	})
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	s.write(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Ready   bool     `json:"ready"`
		Reasons []string `json:"reasons,omitempty"`
	}{}
	if s.cfg.Ready != nil {
		answer.Reasons = s.cfg.Ready()
	}
	status := http.StatusServiceUnavailable
	if answer.Ready = len(answer.Reasons) == 0; answer.Ready {
		status = http.StatusOK
	}
	s.write(w, status, answer)
}

func (s *Server) plugins(w http.ResponseWriter, _ *http.Request) {
	list := []PluginStatus{} // an empty list is [], not null
	if s.cfg.Plugins != nil {
		list = append(list, s.cfg.Plugins()...)
	}
	s.write(w, http.StatusOK, list)
}

func (s *Server) write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.cfg.Logger.Error("admin answer failed", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // whoever asked may have gone
}

func loopbackName(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
