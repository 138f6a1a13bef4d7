package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/upstream"
)

// JWTConfig is what a jwt backend needs to know. Exactly one of Secrets, PublicKey and JWKSURL is set.
type JWTConfig struct {
	Realm string
	// Secrets are for HMAC: the current one and older ones, none of them empty.
	Secrets []string
	// PublicKey is the text of a file: PEM, a JWK or a JWK set, with one key or several.
	PublicKey []byte
	// JWKSURL is where a JWK set is served, over HTTP or HTTPS.
	JWKSURL string

	Issuer   string // that iss must be; empty: any
	Audience string // that aud must be or hold; empty: any
	// Algorithms are the only ones taken, of those that the keys are for; empty: all of these.
	Algorithms []string
	// Leeway is by how much clocks may differ, for exp, nbf and iat; zero: not at all.
	Leeway time.Duration
	// UserID is evaluated over the root `claims`; nil: claims.sub. A token of which it makes null or
	// nothing is refused.
	UserID *expr.Expr
	// OnExpire is "close", for sessions that end with their token, or "keep"; empty: "close".
	OnExpire string

	Logger *slog.Logger     // where the JWK set is not to be had; nil: nowhere
	Now    func() time.Time // nil: time.Now
}

// NewJWT returns a backend that knows its users by signed tokens (RFC 7519) of at most 16 KiB, in the
// compact form. It is an [io.Closer].
//
// The key decides the family of algorithms: HS256, HS384 and HS512 for secrets; RS and PS likewise for
// RSA keys, which have 2048 to 8192 bits; ES256, ES384 or ES512 by the curve; EdDSA for Ed25519. "none"
// is never taken. Keys that a token brings along (jku, jwk, x5u, x5c) are not looked at, crit and b64
// are refused. A token must have exp; nbf and iat count where they are there. A name that is there
// twice in an object is refused.
//
// The claims of its answers are those of the token, byte for byte.
//
// A JWK set is fetched with the first token that needs it, and kept for what its Cache-Control says,
// from 1 minute to 1 hour, or else 10 minutes. While it cannot be had, old keys go on for 24 hours. A
// key that is not in it leads to another fetch, at most one in 10 seconds. Without keys to tell by, as
// for a token that is younger than the set and has an unknown key, the answer is Unavailable.
func NewJWT(cfg JWTConfig) (Backend, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.UserID == nil {
		cfg.UserID, _ = expr.Parse([]byte("claims.sub"), "", hcl.InitialPos, []string{"claims"})
	}
	b := &jwtBackend{cfg: cfg}
	if cfg.OnExpire != "" && cfg.OnExpire != "close" && cfg.OnExpire != "keep" {
		return nil, fmt.Errorf("on_expire is %q, neither close nor keep", cfg.OnExpire)
	}
	if cfg.Leeway < 0 {
		return nil, errors.New("leeway is negative")
	}
	if err := b.readKeys(); err != nil {
		return nil, err
	}
	if err := b.checkAlgorithms(); err != nil {
		return nil, err
	}
	return b, nil
}

type jwtBackend struct {
	cfg    JWTConfig
	keys   []verifyKey // where remote is nil
	remote *jwks
}

func (b *jwtBackend) readKeys() (err error) {
	sources := 0
	for _, set := range []bool{len(b.cfg.Secrets) > 0, len(b.cfg.PublicKey) > 0, b.cfg.JWKSURL != ""} {
		if set {
			sources++
		}
	}
	if sources != 1 {
		return errors.New("exactly one of secrets, a public key and the URL of a key set is needed")
	}
	if slices.Contains(b.cfg.Secrets, "") {
		return errors.New("secret is empty")
	}
	for _, s := range b.cfg.Secrets {
		b.keys = append(b.keys, secretKey(s))
	}
	if len(b.cfg.PublicKey) > 0 {
		b.keys, err = parsePublicKeys(b.cfg.PublicKey)
	}
	if b.cfg.JWKSURL != "" {
		b.remote, err = newJWKS(b.cfg.JWKSURL, b.cfg.Logger, b.cfg.Now)
	}
	return err
}

// checkAlgorithms refuses algorithms that no key could ever have.
func (b *jwtBackend) checkAlgorithms() error {
	possible := publicAlgorithms
	if b.remote == nil {
		possible = nil
		for _, k := range b.keys {
			possible = append(possible, k.algorithms...)
		}
	}
	for _, alg := range b.cfg.Algorithms {
		if !slices.Contains(possible, alg) {
			return fmt.Errorf("algorithm %q is none of those that the keys are for", alg)
		}
	}
	return nil
}

func (b *jwtBackend) Realm() string { return b.cfg.Realm }

// Close ends the fetching of keys.
func (b *jwtBackend) Close() error {
	if b.remote != nil {
		b.remote.close()
	}
	return nil
}

// refusal is an error that is the token's own fault. Whatever else goes wrong leaves open whether it
// is good.
type refusal struct{ reason, detail string }

func (r *refusal) Error() string { return r.detail }

func (b *jwtBackend) Authenticate(ctx context.Context, req *Request) Answer {
	if !req.HasToken {
		return refuse(reasonWrong, "no token")
	}
	t, err := parseToken(req.Token)
	if err != nil {
		return refuse(reasonWrong, err.Error())
	}
	// What is wrong whatever the keys say is refused first: it costs no fetch, and when there are no
	// keys it is no reason to come back.
	if err = b.check(t); err == nil {
		err = b.prove(ctx, t)
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return refuse(r.reason, r.detail)
	}
	if err != nil {
		return cannotTell(err.Error())
	}
	return b.admit(t, req.UserID)
}

// check looks at all of a token but its signature and its user.
func (b *jwtBackend) check(t *token) error {
	now, leeway := b.cfg.Now(), b.cfg.Leeway
	switch {
	case len(b.cfg.Algorithms) > 0 && !slices.Contains(b.cfg.Algorithms, t.alg):
		return &refusal{reasonWrong, "algorithm is not one of those configured"}
	case !now.Before(t.expires.Add(leeway)):
		return &refusal{reasonExpired, "token expired"}
	case !t.notBefore.IsZero() && now.Before(t.notBefore.Add(-leeway)):
		return &refusal{reasonEarly, "nbf lies in the future"}
	case !t.issuedAt.IsZero() && now.Before(t.issuedAt.Add(-leeway)):
		return &refusal{reasonEarly, "iat lies in the future"}
	case b.cfg.Issuer != "" && !t.says("iss", b.cfg.Issuer):
		return &refusal{reasonWrong, "iss is not the issuer"}
	case b.cfg.Audience != "" && !t.says("aud", b.cfg.Audience) && !t.lists("aud", b.cfg.Audience):
		return &refusal{reasonWrong, "aud does not have the audience"}
	}
	return nil
}

// prove returns nil when one of the keys signed the token.
func (b *jwtBackend) prove(ctx context.Context, t *token) error {
	if b.remote != nil {
		return b.remote.prove(ctx, t)
	}
	if !t.signedByOne(b.keys) {
		return &refusal{reasonWrong, "signature is of none of the keys"}
	}
	return nil
}

// admit answers for a token that is good.
func (b *jwtBackend) admit(t *token, claimed string) Answer {
	user, ok, err := b.cfg.UserID.String(expr.Scope{"claims": expr.JSON(t.claims)})
	switch {
	case err != nil:
		return refuse(reasonWrong, err.Error())
	case !ok || user == "":
		return refuse(reasonWrong, "token names no user")
	case claimed != "" && claimed != user:
		return refuse(reasonWrong, claimsAnother)
	}
	ans := Answer{Outcome: upstream.OK, UserID: user, Claims: t.claims}
	if b.cfg.OnExpire != "keep" {
		ans.Expires = t.expires.Add(b.cfg.Leeway)
	}
	return ans
}
