package broker

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/protocol-bridge/bridge/internal/redact"
)

// serve starts the server of this process and connects to it.
func (b *Broker) serve(ctx context.Context, cfg Config) error {
	opts := &server.Options{
		ServerName: "bridge", NoSigs: true, NoLog: true, DontListen: true,
		MaxPayload: MaxPayload, DisableJetStreamBanner: true,
	}
	if cfg.Dir != "" {
		if err := takeStore(cfg.Dir, cfg.Cluster); err != nil {
			return err
		}
		opts.JetStream, opts.StoreDir = true, filepath.Clean(cfg.Dir)
		opts.SyncAlways, opts.SyncInterval = cfg.Sync != "interval", syncInterval
	}
	client := b.options()
	if c := cfg.Cluster; c != nil {
		if err := b.join(opts, c); err != nil {
			return err
		}
		// The routes are opened only behind a port for clients. It is for this machine, and whoever
		// does not know what is drawn here is not let in.
		opts.DontListen, opts.Host, opts.Port = false, "127.0.0.1", server.RANDOM_PORT
		opts.Authorization = rand.Text()
		client.Token = opts.Authorization
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("start NATS: %w", err)
	}
	b.server = srv
	fatal := make(chan error, 1)
	srv.SetLoggerV2(&natsLog{b: b, fatal: fatal}, false, false, false)
	go srv.Start()
	for !srv.ReadyForConnections(readyCheck) {
		select {
		case err := <-fatal:
			return err
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	client.InProcessServer = srv
	if b.conn, err = client.Connect(); err != nil {
		return fmt.Errorf("connect to NATS in this process: %w", err)
	}
	select {
	case err := <-fatal:
		return err
	default:
		return nil
	}
}

const (
	readyCheck   = 100 * time.Millisecond
	syncInterval = 2 * time.Second
	routeTimeout = 5 // seconds, for TLS and for the secret
)

// join has the server look for those of other nodes.
func (b *Broker) join(opts *server.Options, c *ClusterConfig) error {
	host, port, err := splitAddress(c.Listen)
	if err != nil {
		return err
	}
	opts.ServerName = c.ServerName
	opts.Cluster = server.ClusterOpts{
		Name: c.Name, Host: host, Port: port, Advertise: c.Advertise, NoAdvertise: true,
		PoolSize:    -1, // one route to each: there is one account, and what goes another way could overtake
		AuthTimeout: routeTimeout, TLSTimeout: routeTimeout, TLSConfig: c.TLS,
	}
	var user *url.Userinfo
	if len(c.Secrets) > 0 {
		shown := passphrase(c.Name, c.Secrets[0])
		opts.Cluster.Username, opts.Cluster.Password = routeUser, shown
		user = url.UserPassword(routeUser, shown)
		door := routeDoor{}
		for _, s := range c.Secrets {
			door = append(door, passphrase(c.Name, s))
		}
		opts.CustomRouterAuthentication = door
	}
	for _, text := range c.Routes {
		u, err := url.Parse(text)
		if err != nil {
			return fmt.Errorf("route of the cluster: %w", err)
		}
		u.User = user
		opts.Routes = append(opts.Routes, u)
	}
	b.routes = len(opts.Routes)
	return nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		return "", 0, fmt.Errorf("address of the cluster: %w", err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// Address is where servers of other nodes connect; nil where there are none.
func (b *Broker) Address() net.Addr {
	if b.server == nil {
		return nil
	}
	if a := b.server.ClusterAddr(); a != nil {
		return a
	}
	return nil
}

const routeUser = "bridge"

// passphrase is what is shown in place of a secret: it opens this cluster alone.
func passphrase(cluster string, secret redact.Secret) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte("bridge cluster " + cluster))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// routeDoor lets in the servers of nodes that know one of the secrets: while a new one is brought in
// there are two.
type routeDoor []string

// Check says whether a server may come in.
func (d routeDoor) Check(c server.ClientAuthentication) bool {
	shown := []byte(c.GetOpts().Password)
	ok := 0
	for _, p := range d {
		ok |= subtle.ConstantTimeCompare(shown, []byte(p))
	}
	return ok == 1
}

// natsLog has what NATS logs in our own log. Its notices are many, and for those who look closely.
type natsLog struct {
	b     *Broker
	fatal chan error
}

func (l *natsLog) Noticef(format string, v ...any) {
	l.b.log.Debug("nats", "text", fmt.Sprintf(format, v...))
}
func (l *natsLog) Warnf(format string, v ...any)  { l.b.warn("nats", fmt.Sprintf(format, v...)) }
func (l *natsLog) Errorf(format string, v ...any) { l.b.warn("nats", fmt.Sprintf(format, v...)) }

// Fatalf is where a server of its own would end the process.
func (l *natsLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.b.log.Error("nats", "text", text)
	select {
	case l.fatal <- errors.New(text):
	default:
	}
}
func (l *natsLog) Debugf(string, ...any) {}
func (l *natsLog) Tracef(string, ...any) {}

// warn logs what anybody who reaches the port of the cluster can cause.
func (b *Broker) warn(what, text string) {
	if dropped, ok := b.quiet.Allow(time.Now()); ok {
		b.log.Warn("trouble with NATS", "what", what, "text", text, "dropped", dropped)
	}
}

var (
	_ server.Logger              = (*natsLog)(nil)
	_ nats.InProcessConnProvider = (*server.Server)(nil)
)
