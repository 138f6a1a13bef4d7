package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/quiet"
)

// Config is what a [Server] listens with. Address, Routes and Logger are needed.
type Config struct {
	// Name is the listener's, for logs.
	Name string
	// Address is host:port; port 0 takes a free one.
	Address string
	// Routes says what is served; a table that is swapped in counts from the next request on.
	Routes *atomic.Pointer[route.Table]
	Logger *slog.Logger

	// PingInterval is how long a WebSocket may be silent before it is sent a ping; 0 means 25 s,
	// negative never, and then silence is never an end.
	PingInterval time.Duration
	// PongTimeout is how long it may stay silent after one; 0 means 10 s. It ends with
	// [session.CloseIdle].
	PongTimeout time.Duration
	// HandshakeTimeout bounds the head of a request, the answer to an upgrade, the PROXY protocol's
	// header and the handshake of TLS; 0 means 10 s.
	HandshakeTimeout time.Duration
	// IdleTimeout is how long a connection may wait between requests, and how long one of lines stays
	// whose client will send no more and gets nothing; 0 means 60 s.
	IdleTimeout time.Duration
	// BodyTimeout bounds the wait for more of a request's body, or of a line; 0 means 30 s.
	BodyTimeout time.Duration
	// WriteTimeout bounds the wait of a response for a client that does not read; 0 means 30 s.
	WriteTimeout time.Duration
	// MaxBody is up to how many bytes a request's body is read whole, before its session is made; 0
	// means 1 MiB. What is larger is streamed where the route's entry allows it.
	MaxBody int64

	// Origins are those of browsers' pages that may come, besides the listener's own and besides
	// loopback to loopback: "https://app.example", with a port where it is not the scheme's. In
	// "https://*.example.com" the star stands for any subdomain at any depth, and not for example.com
	// itself. One that cannot be is an error of [Server.Listen].
	Origins []string
	// TrustedProxies are the peers whose word counts about where a request comes from: the headers
	// X-Forwarded-For, -Proto and -Host, or Forwarded where there is no X-Forwarded-For.
	TrustedProxies []netip.Prefix
	// Lines says that connections are sessions themselves, without HTTP, cut into lines: all of the
	// route "/". Origins mean nothing then.
	Lines bool
	// Compression says that WebSockets may compress messages (permessage-deflate, RFC 7692), where their
	// clients offer it. It can be replaced with [Server.SetCompression].
	Compression bool
	// Certificate is what clients are shown, who must then speak TLS; nil: they must not. It can be
	// replaced with [Server.SetCertificate].
	Certificate *tls.Certificate
	// ProxyProtocol says that connections begin with a header of the PROXY protocol, version 1 or 2,
	// before TLS. Only TrustedProxies may connect then, and whom they name counts as the peer.
	ProxyProtocol bool
	// MaxAdmissions is how many calls of [Opener.Admit] may be under way; more clients are answered
	// 503. 0 means 10,000.
	MaxAdmissions int

	// MaxConnections is how many connections may be open; what comes then is closed. 0 means nine
	// tenths of the files that the process may open, negative no bound.
	MaxConnections int
	// MaxPerAddress is the same for one address, or one network of 64 bits of IPv6; this machine and
	// trusted proxies are not counted. 0 means 1,000, negative no bound.
	MaxPerAddress int
	// Budget counts the bodies of requests and the responses that wait; nil: nobody does.
	Budget *session.Budget
	// Metrics may be nil.
	Metrics *Metrics
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.PingInterval, 25 * time.Second},
		{&c.PongTimeout, 10 * time.Second},
		{&c.HandshakeTimeout, 10 * time.Second},
		{&c.IdleTimeout, time.Minute},
		{&c.BodyTimeout, 30 * time.Second},
		{&c.WriteTimeout, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.MaxAdmissions == 0 {
		c.MaxAdmissions = 10_000
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = mostConnections()
	}
	if c.MaxPerAddress == 0 {
		c.MaxPerAddress = 1000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Opener is what routes lead to. Its methods are called concurrently and, but for Admit, block no
// longer than it takes to make a session.
type Opener interface {
	// Admit says who the client is, for entries with Handshake set: before the upgrade, or before the
	// reading of a body. It may block as long as an auth backend takes; ctx ends when the
	// server stops or the client is seen to leave, and what is returned then does not count. A refusal
	// is answered instead; without one there is an admission, which may be empty. Neither is changed
	// any more.
	Admit(ctx context.Context, e *route.Entry, info *session.Info) (*session.Admission, *Refusal)

	// Open makes the session of a fresh WebSocket connection. It is called once the upgrade was
	// written, before anything is read. who is what Admit said, nil for entries without Handshake.
	// After an error the client is closed with [session.CloseUnavailable].
	Open(e *route.Entry, info *session.Info, who *session.Admission, t session.Transport) (*session.Session, error)

	// OpenRequest makes the session of a plain request, whose transport is w; w is also how it is
	// answered, which may begin before OpenRequest returns. streamed says that the body comes by
	// Frame and Eof; else body is the whole of it, which is not to be kept. who is as with Open. After
	// an error the client is answered 503.
	OpenRequest(e *route.Entry, info *session.Info, who *session.Admission, body []byte, streamed bool, w session.ResponseWriter) (*session.Session, error)

	// Ready says whether the entry's plugin can take connections; if not, the client is answered 503.
	Ready(e *route.Entry) bool
}

// Refusal is what a client is answered that may not come in.
type Refusal struct {
	Status     int    // from 400 to 599; anything else is answered 500
	Text       string // a line for the client
	Challenge  string // the WWW-Authenticate header; empty: none
	RetryAfter int    // seconds; 0: says nothing
}

// headerLimit bounds the head of a request.
const headerLimit = 8 << 10

// Server listens on one address. Make it with [New]; its methods are safe for concurrent use.
type Server struct {
	cfg    Config
	opener Opener
	log    *slog.Logger
	http   *fasthttp.Server
	quiet  quiet.Limiter // for what strangers can cause
	meter  *meter
	began  time.Time

	roster  roster
	pollers pollers // made before the first connection

	policy      atomic.Pointer[policy]
	compression atomic.Bool // for connections to come
	packer      packer
	originFault error       // joins what is wrong with the origins of Config
	tls         *tls.Config // nil: none
	certificate atomic.Pointer[tls.Certificate]

	life       context.Context //nolint:containedctx // ends with Stop, and what waits for an answer then
	end        context.CancelFunc
	admissions atomic.Int64 // under way

	stopping atomic.Bool

	mu    sync.Mutex // guards what follows
	ln    net.Listener
	plain map[*accepted]struct{} // connections that fasthttp serves
	doors doors                  // connections, upgraded ones as well
	done  chan struct{}          // closed when stopped and none is open
}

// New returns a server that does not listen yet.
func New(cfg Config, o Opener) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg:    cfg,
		opener: o,
		log:    cfg.Logger.With("listener", cfg.Name),
		meter:  cfg.Metrics.meter(cfg.Name),
		began:  time.Now(),
		plain:  make(map[*accepted]struct{}),
		doors:  doors{most: cfg.MaxConnections, mostOf: cfg.MaxPerAddress},
		done:   make(chan struct{}),
		roster: roster{stop: make(chan struct{})},
	}
	s.compression.Store(cfg.Compression)
	s.packer.seed = maphash.MakeSeed()
	s.life, s.end = context.WithCancel(context.Background())
	var policy *policy
	policy, s.originFault = newPolicy(cfg.Origins, cfg.TrustedProxies)
	s.policy.Store(policy)
	s.SetCertificate(cfg.Certificate)
	s.tls = s.tlsConfig()
	s.http = &fasthttp.Server{
		Handler:                      s.handle,
		ErrorHandler:                 s.badRequest,
		ConnState:                    s.connState,
		Logger:                       logAdapter{s.log},
		ReadBufferSize:               headerLimit,
		ReadTimeout:                  cfg.HandshakeTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		WriteTimeout:                 cfg.WriteTimeout,
		MaxRequestBodySize:           1, // what is read before the handler, which reads the rest
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
	}
	return s
}

// Listen binds the address, so that [Server.Addr] is known and the kernel queues clients. Nothing
// is served before [Server.Serve].
func (s *Server) Listen() error {
	if s.originFault != nil {
		return fmt.Errorf("listener %q: %w", s.cfg.Name, s.originFault)
	}
	ln, err := net.Listen("tcp", s.cfg.Address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.cfg.Address, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln != nil || s.stopping.Load() {
		_ = ln.Close()
		return errors.New("listener was started before")
	}
	s.ln = ln
	return nil
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

// Serve serves until [Server.Stop], and then returns nil, or until the address fails.
func (s *Server) Serve() error {
	s.mu.Lock()
	ln := s.ln
	if ln != nil && !s.cfg.Lines && !s.stopping.Load() {
		s.startPollers()
		s.watch()
	}
	s.mu.Unlock()
	if ln == nil {
		return errors.New("listener has no address yet")
	}
	return s.accept(ln)
}

// Stop closes the address and the connections that wait between requests. Those at a request end
// behind it, WebSockets go on. It does not wait.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Swap(true) {
		return
	}
	s.end()
	if s.ln != nil {
		_ = s.ln.Close()
	}
	for a := range s.plain {
		if !a.busy.Load() {
			_ = a.Conn.Close()
		}
	}
	if s.doors.open == 0 {
		s.finish()
	}
}

// finish is called once, when the server has stopped and the last connection is over. The caller holds
// mu.
func (s *Server) finish() {
	close(s.done)
	close(s.roster.stop)
	s.pollers.stop()
}

// Done is closed once the server was stopped and every connection is over.
func (s *Server) Done() <-chan struct{} { return s.done }

// Shutdown stops and waits until every connection is over. WebSockets and requests end with their
// sessions, which whoever opened them closes. Its error is ctx's.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Stop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for connections: %w", ctx.Err())
	}
}
