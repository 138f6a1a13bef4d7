package core

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/upstream"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// backends are the servers and files behind a configuration: who is asked, and who says who a client
// is. A set is made from the one before it: what is configured alike is the same backend, with its
// connections and all it knows.
type backends struct {
	auths     map[string]*authBackend // by reference
	upstreams map[string]*pool
	mirrors   []Mirror
}

// pool is an upstream of a configuration.
type pool struct {
	upstream.Pool
	cfg *config.Upstream
}

// authBackend is an auth block of a configuration.
type authBackend struct {
	auth.Backend
	cfg   *config.Auth
	file  [sha256.Size]byte // of the key file's content
	key   string            // tells it from one that had the same name before
	close func()            // nil: there is nothing to close
}

// backendMaker makes backends for one configuration.
type backendMaker struct {
	opt     Options
	metrics *upstream.Metrics
	old     *backends // nil: none
	made    *backends
	number  int // of the configuration
}

// newBackends connects to nothing yet. What an error leaves half made, retire undoes.
func newBackends(cfg *config.Config, opt Options, metrics *upstream.Metrics, old *backends, number int) (*backends, error) {
	m := &backendMaker{
		opt: opt, metrics: metrics, old: old, number: number,
		made: &backends{auths: make(map[string]*authBackend), upstreams: make(map[string]*pool)},
	}
	for _, u := range cfg.Upstreams {
		if err := m.addUpstream(u); err != nil {
			return m.made, fmt.Errorf("upstream %s: %w", u.Ref(), err)
		}
	}
	for _, a := range cfg.Auths {
		if err := m.addAuth(a); err != nil {
			return m.made, fmt.Errorf("auth %s: %w", a.Ref(), err)
		}
	}
	return m.made, nil
}

func (m *backendMaker) addUpstream(u *config.Upstream) error {
	p := m.oldUpstream(u)
	if p == nil {
		made, err := m.newUpstream(u)
		if err != nil {
			return err
		}
		p = &pool{made, u}
	}
	m.made.upstreams[u.Ref()] = p
	if to, ok := p.Pool.(upstream.Mirrorer); ok && len(u.LoguxServer.Mirror) > 0 {
		m.made.mirrors = append(m.made.mirrors, Mirror{Upstream: u.Ref(), Channels: u.LoguxServer.Mirror, To: func(channels []string, msg *hub.Message) {
			to.Mirror(channels, msg.Type, msg.Payload)
		}})
	}
	return nil
}

// oldUpstream is the pool of a block that says what it said before; nil when there is none.
func (m *backendMaker) oldUpstream(u *config.Upstream) *pool {
	if m.old == nil {
		return nil
	}
	p := m.old.upstreams[u.Ref()]
	if p == nil || !p.cfg.Same(u) {
		return nil
	}
	return p
}

func (m *backendMaker) newUpstream(u *config.Upstream) (upstream.Pool, error) {
	switch {
	case u.Logux != nil:
		l := u.Logux
		return upstream.NewLogux(upstream.LoguxConfig{
			Name: u.Ref(), URL: l.URL, Secret: l.Secrets[0].Reveal(), Version: l.Version,
			ConnectTimeout: l.ConnectTimeout, Timeout: l.Timeout, IdleTimeout: l.IdleTimeout,
			MaxConnections: l.MaxConnections, Batch: l.Batch, Logger: m.opt.Logger, Metrics: m.metrics,
		})
	case u.LoguxServer != nil:
		l := u.LoguxServer
		return upstream.NewLoguxServer(upstream.LoguxServerConfig{
			Name: u.Ref(), URL: l.URL, Secret: l.Secrets[0].Reveal(), Version: l.Version,
			ConnectTimeout: l.ConnectTimeout, Timeout: l.Timeout, Logger: m.opt.Logger, Metrics: m.metrics,
		})
	case u.HTTP != nil:
		return upstream.NewHTTP(httpConfig(u.Ref(), u.HTTP, m.opt, m.metrics))
	}
	return upstream.NewDev(), nil
}

func (m *backendMaker) addAuth(a *config.Auth) error {
	var key []byte
	if a.JWT != nil && a.JWT.PublicKeyFile != "" {
		var err error
		if key, err = os.ReadFile(a.JWT.PublicKeyFile); err != nil {
			return fmt.Errorf("read public_key_file: %w", err)
		}
	}
	file := sha256.Sum256(key)
	if old := m.oldAuth(a, file); old != nil {
		m.made.auths[a.Ref()] = old
		return nil
	}
	made := &authBackend{cfg: a, file: file, key: fmt.Sprintf("%s %d", a.Ref(), m.number)}
	backend, err := m.newAuth(a, key, made)
	if err != nil {
		return err
	}
	if c, ok := backend.(io.Closer); ok {
		made.close = func() { _ = c.Close() } // it ends, it does not fail
	}
	made.Backend = auth.Limit(backend, auth.LimitConfig{})
	m.made.auths[a.Ref()] = made
	return nil
}

// oldAuth is the backend of a block that says what it said before, and asks whom it asked before.
func (m *backendMaker) oldAuth(a *config.Auth, file [sha256.Size]byte) *authBackend {
	if m.old == nil {
		return nil
	}
	b := m.old.auths[a.Ref()]
	if b == nil || !b.cfg.Same(a) || b.file != file {
		return nil
	}
	if a.Logux != nil && m.old.upstreams[a.Logux.Upstream.Ref()] != m.made.upstreams[a.Logux.Upstream.Ref()] {
		return nil
	}
	return b
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

func (m *backendMaker) newAuth(a *config.Auth, key []byte, made *authBackend) (auth.Backend, error) {
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
		j := a.JWT
		return auth.NewJWT(auth.JWTConfig{
			Realm: a.Ref(), Secrets: reveal(j.Secrets), PublicKey: key, JWKSURL: j.JWKSURL, Issuer: j.Issuer, Audience: j.Audience,
			Algorithms: j.Algorithms, Leeway: j.Leeway, UserID: j.UserID, OnExpire: j.OnExpire, Logger: m.opt.Logger,
		})
	case a.HTTP != nil:
		asked, err := upstream.NewHTTP(httpConfig("auth."+a.Ref(), a.HTTP, m.opt, m.metrics))
		if err != nil {
			return nil, err
		}
		made.close = asked.Close
		return auth.NewHTTP(a.Ref(), asked.(auth.Authorizer)), nil //nolint:forcetypeassert // as NewHTTP says
	case a.Logux != nil:
		asked := m.made.upstreams[a.Logux.Upstream.Ref()].Pool
		return auth.NewLogux(a.Ref(), asked.(auth.Authenticator)), nil //nolint:forcetypeassert // as NewLogux says
	}
	var tokens []auth.Token
	for _, t := range a.Static.Tokens {
		tokens = append(tokens, auth.Token{Token: t.Token.Reveal(), UserID: t.UserID})
	}
	return auth.NewStatic(a.Ref(), tokens), nil
}

// retire ends the backends that are not among those that follow, which may be nil.
func (b *backends) retire(next *backends) {
	for ref, a := range b.auths {
		if a.close != nil && (next == nil || next.auths[ref] != a) {
			a.close()
		}
	}
	for ref, p := range b.upstreams {
		if next == nil || next.upstreams[ref] != p {
			p.Close()
		}
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
