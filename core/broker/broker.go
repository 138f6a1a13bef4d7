package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protocol-bridge/bridge/internal/quiet"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// Config is what a Broker needs.
type Config struct {
	// Dir holds JetStream's files; empty: there is no JetStream, and nothing is written. It is not used
	// with external servers.
	Dir string
	// Sync says when what is stored is on disk: "always" (also when empty), before it is confirmed, or
	// "interval", some two seconds later.
	Sync    string
	Logger  *slog.Logger
	Cluster *ClusterConfig // nil: this node is alone
}

// ClusterConfig says how the server finds those of other nodes, or where it is.
type ClusterConfig struct {
	Name string // of the cluster
	// ServerName is this server's, unlike any other's in the cluster and the same after each start: it is
	// under this name that others know which copies it keeps. Not used with external servers.
	ServerName string
	Listen     string   // host:port for the servers of other nodes; port 0: any
	Advertise  string   // host:port at which they reach it; empty: Listen
	Routes     []string // URLs of the servers of all nodes; this one may be among them
	// Secrets let other servers in: the first is shown, each is taken. None: everybody is. To external
	// servers the first is shown as a token.
	Secrets []redact.Secret
	TLS     *tls.Config // for both ends of a route, or towards external servers; nil: as the URLs say
	Servers []string    // URLs of external servers, in place of one of our own
}

// Broker is a server in this process, or a connection to others. It is safe for concurrent use.
type Broker struct {
	log    *slog.Logger
	quiet  quiet.Limiter
	server *server.Server // nil: external
	routes int            // servers that Routes name
	conn   *nats.Conn
	js     jetstream.JetStream
}

const (
	// answerWithin is how long JetStream is waited for before it is asked again.
	answerWithin = 2 * time.Second
	// MaxPayload is how many bytes one message may have, on servers of our own.
	MaxPayload = 8 << 20
)

// Start starts a server, or connects to external ones, and returns once JetStream answers, where there
// is one. In a cluster that is when most of its servers have found each other: until then, or until ctx
// ends, it waits, and says so in the log. The error may be a [StoreError].
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	b := &Broker{log: cfg.Logger}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	external := cfg.Cluster != nil && len(cfg.Cluster.Servers) > 0
	var err error
	if external {
		err = b.connect(ctx, cfg.Cluster)
	} else {
		err = b.serve(ctx, cfg)
	}
	if err == nil && (external || cfg.Dir != "") {
		err = b.awaitJetStream(ctx, cfg.Cluster)
	}
	if err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

// Conn is this process's connection. It outlives those servers that come back.
func (b *Broker) Conn() *nats.Conn { return b.conn }

// JetStream is what stores; nil where Config.Dir was empty.
func (b *Broker) JetStream() jetstream.JetStream { return b.js }

// Servers is how many servers there are to keep copies, or are meant to be once all are up.
func (b *Broker) Servers() int {
	if b.server == nil {
		return len(b.conn.Servers())
	}
	return max(b.routes, len(b.server.ActivePeers()), 1)
}

// Replicas is how many copies are kept of what must outlive a node: three from three servers on, else one.
func (b *Broker) Replicas() int {
	if b.Servers() >= 3 {
		return 3
	}
	return 1
}

// Close ends the connection and the server. What was stored stays. The error is that of ctx when that
// ends first; the server goes on to stop then.
func (b *Broker) Close(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		b.stop()
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Broker) stop() {
	if b.conn != nil {
		b.conn.Close()
	}
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
}

// connect connects to external servers, as soon as one of them is there.
func (b *Broker) connect(ctx context.Context, cfg *ClusterConfig) error {
	opts := b.options()
	opts.Servers, opts.RetryOnFailedConnect = cfg.Servers, true
	if cfg.TLS != nil {
		opts.Secure, opts.TLSConfig = true, cfg.TLS.Clone()
	}
	if len(cfg.Secrets) > 0 {
		opts.Token = cfg.Secrets[0].Reveal()
	}
	var err error
	if b.conn, err = opts.Connect(); err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	for told := false; !b.conn.IsConnected(); told = true {
		if !told {
			b.log.Info("waiting for NATS", "servers", len(cfg.Servers))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("connect to NATS: %w", errors.Join(ctx.Err(), b.conn.LastError()))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// options are those of the connection of this process, which does not give up.
func (b *Broker) options() nats.Options {
	opts := nats.GetDefaultOptions()
	opts.Name = "bridge"
	opts.MaxReconnect = -1
	opts.ReconnectWait = 250 * time.Millisecond
	opts.IgnoreAuthErrorAbort = true // a server whose secrets are being changed
	opts.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) { b.warn("connection to NATS", err.Error()) }
	opts.DisconnectedErrCB = func(_ *nats.Conn, err error) {
		if err != nil {
			b.log.Warn("connection to NATS is lost", "err", err)
		}
	}
	opts.ReconnectedCB = func(*nats.Conn) { b.log.Info("connected to NATS again") }
	return opts
}

// awaitJetStream waits until it answers.
func (b *Broker) awaitJetStream(ctx context.Context, cluster *ClusterConfig) error {
	js, err := jetstream.New(b.conn)
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	for told := false; ; told = true {
		err := answers(ctx, js)
		if err == nil {
			b.js = js
			return nil
		}
		if ctx.Err() != nil || cluster == nil || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			return fmt.Errorf("wait for JetStream: %w", err)
		}
		if !told {
			b.log.Info("waiting for other nodes of the cluster: most of them have to be there", "cluster", cluster.Name, "routes", len(cluster.Routes))
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func answers(ctx context.Context, js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	_, err := js.AccountInfo(ctx)
	return err
}
