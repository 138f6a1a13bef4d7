package core

import (
	"fmt"
	"io"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/upstream"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// backends are the servers and files behind a configuration: who is asked, and who says who a client
// is.
type backends struct {
	auths     map[*config.Auth]auth.Backend
	upstreams map[*config.Upstream]upstream.Pool
	mirrors   []Mirror
	closers   []io.Closer
}

// newBackends connects to nothing yet. What an error leaves half made, close undoes.
func newBackends(cfg *config.Config, opt Options, reg prometheus.Registerer) (*backends, error) {
	b := &backends{auths: make(map[*config.Auth]auth.Backend), upstreams: make(map[*config.Upstream]upstream.Pool)}
	metrics := upstream.NewMetrics(reg)
	for _, u := range cfg.Upstreams {
		if err := b.addUpstream(u, opt, metrics); err != nil {
			return b, fmt.Errorf("upstream %s: %w", u.Ref(), err)
		}
	}
	for _, a := range cfg.Auths {
		backend, err := b.newAuth(a, opt, metrics)
		if err != nil {
			return b, fmt.Errorf("auth %s: %w", a.Ref(), err)
		}
		if c, ok := backend.(io.Closer); ok {
			b.closers = append(b.closers, c)
		}
		b.auths[a] = auth.Limit(backend, auth.LimitConfig{})
	}
	return b, nil
}

func (b *backends) addUpstream(u *config.Upstream, opt Options, metrics *upstream.Metrics) error {
	var pool upstream.Pool
	var err error
	switch {
	case u.Logux != nil:
		l := u.Logux
		pool, err = upstream.NewLogux(upstream.LoguxConfig{
			Name: u.Ref(), URL: l.URL, Secret: l.Secrets[0].Reveal(), Version: l.Version,
			ConnectTimeout: l.ConnectTimeout, Timeout: l.Timeout, IdleTimeout: l.IdleTimeout,
			MaxConnections: l.MaxConnections, Batch: l.Batch, Logger: opt.Logger, Metrics: metrics,
		})
	case u.LoguxServer != nil:
		l := u.LoguxServer
		pool, err = upstream.NewLoguxServer(upstream.LoguxServerConfig{
			Name: u.Ref(), URL: l.URL, Secret: l.Secrets[0].Reveal(), Version: l.Version,
			ConnectTimeout: l.ConnectTimeout, Timeout: l.Timeout, Logger: opt.Logger, Metrics: metrics,
		})
	case u.HTTP != nil:
		pool, err = upstream.NewHTTP(httpConfig(u.Ref(), u.HTTP, opt, metrics))
	default:
		pool = upstream.NewDev()
	}
	if err != nil {
		return err
	}
	b.upstreams[u] = pool
	if m, ok := pool.(upstream.Mirrorer); ok && len(u.LoguxServer.Mirror) > 0 {
		b.mirrors = append(b.mirrors, Mirror{Channels: u.LoguxServer.Mirror, To: func(channels []string, msg *hub.Message) {
			m.Mirror(channels, msg.Type, msg.Payload)
		}})
	}
	return nil
}

func httpConfig(name string, h *config.HTTPBackend, opt Options, metrics *upstream.Metrics) upstream.HTTPConfig {
	return upstream.HTTPConfig{
		Name: name, URL: h.URL, Secrets: reveal(h.Secrets), ConnectTimeout: h.ConnectTimeout, Timeout: h.Timeout,
		MaxConnections: h.MaxConnections, Logger: opt.Logger, Metrics: metrics,
	}
}

func reveal(list []redact.Secret) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, s.Reveal())
	}
	return out
}

func (b *backends) newAuth(a *config.Auth, opt Options, metrics *upstream.Metrics) (auth.Backend, error) {
	switch {
	case a.Basic != nil:
		var users []auth.BasicUser
		for _, u := range a.Basic.Users {
			users = append(users, auth.BasicUser{
				Name: u.Name, Hash: u.Hash.Reveal(), Roles: u.Roles, Allow: u.Allow, Channels: u.Channels, Topics: u.Topics,
			})
		}
		return auth.NewBasic(a.Ref(), users)
	case a.JWT != nil:
		return newJWT(a, opt)
	case a.HTTP != nil:
		pool, err := upstream.NewHTTP(httpConfig("auth."+a.Ref(), a.HTTP, opt, metrics))
		if err != nil {
			return nil, err
		}
		b.closers = append(b.closers, closer(pool.Close))
		return auth.NewHTTP(a.Ref(), pool.(auth.Authorizer)), nil //nolint:forcetypeassert // as NewHTTP says
	case a.Logux != nil:
		return auth.NewLogux(a.Ref(), b.upstreams[a.Logux.Upstream].(auth.Authenticator)), nil //nolint:forcetypeassert // as NewLogux says
	}
	var tokens []auth.Token
	for _, t := range a.Static.Tokens {
		tokens = append(tokens, auth.Token{Token: t.Token.Reveal(), UserID: t.UserID})
	}
	return auth.NewStatic(a.Ref(), tokens), nil
}

func newJWT(a *config.Auth, opt Options) (auth.Backend, error) {
	j := a.JWT
	cfg := auth.JWTConfig{
		Realm: a.Ref(), Secrets: reveal(j.Secrets), JWKSURL: j.JWKSURL, Issuer: j.Issuer, Audience: j.Audience,
		Algorithms: j.Algorithms, Leeway: j.Leeway, UserID: j.UserID, OnExpire: j.OnExpire, Logger: opt.Logger,
	}
	if j.PublicKeyFile != "" {
		key, err := os.ReadFile(j.PublicKeyFile)
		if err != nil {
			return nil, fmt.Errorf("read public_key_file: %w", err)
		}
		cfg.PublicKey = key
	}
	return auth.NewJWT(cfg)
}

// closer is a function as an io.Closer.
type closer func()

func (c closer) Close() error {
	c()
	return nil
}

// close ends all calls and connections.
func (b *backends) close() {
	for _, u := range b.upstreams {
		u.Close()
	}
	for _, c := range b.closers {
		_ = c.Close() // they end, they do not fail
	}
}

// channelBlocks are the channel blocks in the form that package access has.
func channelBlocks(cfg *config.Config) []access.Block {
	blocks := make([]access.Block, 0, len(cfg.Channels))
	for _, c := range cfg.Channels {
		blocks = append(blocks, access.Block{Pattern: c.Pattern, Join: peers(c.Join), Publish: peers(c.Publish)})
	}
	return blocks
}

func peers(p *config.Peers) *access.Peers {
	if p == nil {
		return nil
	}
	out := &access.Peers{}
	for _, x := range p.Plugins {
		out.Plugins = append(out.Plugins, x.Label)
	}
	for _, x := range p.Auths {
		out.Realms = append(out.Realms, x.Ref())
	}
	return out
}
