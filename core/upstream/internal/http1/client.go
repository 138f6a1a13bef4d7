package http1

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// keepFor is how long a connection is kept without a request, unless the server says less.
const keepFor = 60 * time.Second

// Errors of [Client.Post] and [Response.Next], besides those of the network. An error of
// [Client.Post] may wrap syscall.ECONNREFUSED: then nothing was sent.
var (
	ErrClosed    = errors.New("client closed")
	ErrTimeout   = errors.New("no answer in time")
	ErrIdle      = errors.New("the answer stopped")
	ErrLost      = errors.New("connection lost")
	ErrMalformed = errors.New("malformed HTTP response")
)

// Config says what to ask and how long to wait. Everything must be set but IdleTimeout and TLS.
type Config struct {
	URL *url.URL // http or https; user and password become basic authentication
	// ConnectTimeout is for connecting, TLS included.
	ConnectTimeout time.Duration
	// IdleTimeout is for silence inside a body; 0 means that the whole body must be there at the time
	// that [Client.Post] is given.
	IdleTimeout time.Duration
	// MaxIdle is how many connections are kept.
	MaxIdle int
	TLS     *tls.Config // nil means the system's defaults
}

// Client makes requests to one URL. It is safe for concurrent use, and does not bound how many run
// at a time.
type Client struct {
	cfg     Config
	address string
	head    string // of a request, up to the value of Content-Length
	dialer  net.Dialer
	tls     *tls.Config // nil for http

	mu     sync.Mutex // guards all below
	idle   []*conn    // the last was used last
	all    map[*conn]struct{}
	closed bool
	sweeps bool // a sweep is due

	ctx    context.Context //nolint:containedctx // ends with the client: dialing has no other way to learn it
	cancel context.CancelFunc
}

// New returns a client; it connects when there is something to ask.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg, all: make(map[*conn]struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	port := cfg.URL.Port()
	if cfg.URL.Scheme == "https" {
		c.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if cfg.TLS != nil {
			c.tls = cfg.TLS.Clone()
		}
		if c.tls.ServerName == "" {
			c.tls.ServerName = cfg.URL.Hostname()
		}
		if c.tls.ClientSessionCache == nil {
			c.tls.ClientSessionCache = tls.NewLRUClientSessionCache(cfg.MaxIdle)
		}
		if port == "" {
			port = "443"
		}
	} else if port == "" {
		port = "80"
	}
	c.address = net.JoinHostPort(cfg.URL.Hostname(), port)
	c.head = "POST " + cfg.URL.RequestURI() + " HTTP/1.1\r\nHost: " + cfg.URL.Host +
		"\r\nUser-Agent: bridge\r\nContent-Type: application/json\r\n"
	if user := cfg.URL.User; user != nil {
		password, _ := user.Password()
		c.head += "Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n"
	}
	c.head += "Content-Length: "
	return c
}

// Post sends a request and waits for the head of the response. header has further header lines, each
// with its line end; body is not kept. Everything up to the first byte of the response's body must
// be there at the time until. The end of ctx ends the request at any time, also while the body is
// read. The response must be closed.
//
// When there is an error, the request may have been received unless the error wraps
// syscall.ECONNREFUSED.
func (c *Client) Post(ctx context.Context, until time.Time, header string, body []byte) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		n, reused, err := c.connection(ctx, until)
		if err != nil {
			return nil, err
		}
		if !n.begin(ctx) {
			n.drop()
			continue
		}
		written, err := n.write(header, body, reused, until)
		if err == nil {
			if err = n.readHead(); err == nil {
				return (*Response)(n), nil
			}
		}
		n.drop()
		if written == 0 && reused && ctx.Err() == nil {
			continue // the server had closed it; not a byte left this machine
		}
		return nil, n.explain(ctx, err)
	}
}

// Close ends all requests and closes all connections.
func (c *Client) Close() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, n := range c.idle {
		n.unwatch() // which may last longer than the client
	}
	c.idle = nil
	for n := range c.all {
		_ = n.net.Close()
	}
	clear(c.all)
}

// connection returns one that was kept, or a new one.
func (c *Client) connection(ctx context.Context, until time.Time) (n *conn, reused bool, err error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, false, ErrClosed
		}
		last := len(c.idle) - 1
		if last < 0 {
			c.mu.Unlock()
			break
		}
		n := c.idle[last]
		c.idle[last] = nil
		c.idle = c.idle[:last]
		c.mu.Unlock()
		if n.usable(until) {
			return n, true, nil
		}
		n.drop()
	}
	n, err = c.dial(ctx, until)
	return n, false, err
}

func (c *Client) dial(ctx context.Context, until time.Time) (*conn, error) {
	limit := time.Now().Add(c.cfg.ConnectTimeout)
	if until.Before(limit) {
		limit = until
	}
	ctx, cancel := context.WithDeadlineCause(ctx, limit, fmt.Errorf("%w: connecting to %s", ErrTimeout, c.address))
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)() // the client's end, beside the request's

	socket, err := c.dialer.DialContext(ctx, "tcp", c.address)
	n := socket
	if err == nil && c.tls != nil {
		secured := tls.Client(socket, c.tls)
		if err = secured.HandshakeContext(ctx); err != nil {
			_ = socket.Close()
		}
		n = secured
	}
	switch {
	case err == nil:
		return c.enlist(newConn(c, n, socket), until)
	case c.ctx.Err() != nil:
		return nil, ErrClosed
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, err
}

func (c *Client) enlist(n *conn, until time.Time) (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || n.net.SetDeadline(until) != nil {
		_ = n.net.Close()
		return nil, ErrClosed
	}
	c.all[n] = struct{}{}
	return n, nil
}

// keep puts a connection by for the next request.
func (c *Client) keep(n *conn) {
	c.mu.Lock()
	if c.closed || len(c.idle) >= c.cfg.MaxIdle {
		c.mu.Unlock()
		n.drop()
		return
	}
	c.idle = append(c.idle, n)
	if !c.sweeps {
		c.sweeps = true
		time.AfterFunc(keepFor, c.sweep)
	}
	c.mu.Unlock()
}

// sweep closes connections that nobody used for long.
func (c *Client) sweep() {
	now := time.Now()
	c.mu.Lock()
	var old []*conn
	kept := c.idle[:0]
	for _, n := range c.idle {
		if now.After(n.expires) {
			old = append(old, n)
		} else {
			kept = append(kept, n)
		}
	}
	clear(c.idle[len(kept):])
	c.idle = kept
	c.sweeps = len(kept) > 0 && !c.closed
	if c.sweeps {
		time.AfterFunc(keepFor, c.sweep)
	}
	c.mu.Unlock()
	for _, n := range old {
		n.drop()
	}
}
