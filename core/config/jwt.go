package config

import (
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/internal/redact"
)

const (
	defaultLeeway = 10 * time.Second
	// longestLeeway is what clocks of servers that anybody looks after do not differ by.
	longestLeeway = 10 * time.Minute
	// leastHMAC is how many bytes a key of HS256 must have by RFC 7518.
	leastHMAC = 32
)

var (
	hmacAlgorithms = []string{"HS256", "HS384", "HS512"}
	keyAlgorithms  = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

// claimRoots are the variables of `user_id`.
var claimRoots = []string{"claims"}

func (d *decoder) jwtAuth(in *hcl.BodyContent, block *hcl.Block) *JWTAuth {
	a := &JWTAuth{Leeway: defaultLeeway, OnExpire: "close"}
	at := in.Attributes
	d.jwtKey(a, at, block)
	d.filled(at["issuer"], &a.Issuer)
	d.filled(at["audience"], &a.Audience)
	d.algorithms(at, &a.Algorithms)
	if d.duration(at["leeway"], 0, &a.Leeway) && a.Leeway > longestLeeway {
		d.error(at["leeway"].Expr.Range(), "Invalid duration", `"leeway" must be %s or less: it makes every token live longer.`, "10m")
	}
	a.UserID = d.userID(at["user_id"])
	d.choice(at["on_expire"], []string{"close", "keep"}, &a.OnExpire)
	return a
}

// jwtKey reads who signs tokens, which is said in one of three ways.
func (d *decoder) jwtKey(a *JWTAuth, at hcl.Attributes, block *hcl.Block) {
	const ways = `"secret", "public_key_file" and "jwks_url"`
	var given []*hcl.Attribute
	for _, name := range []string{"secret", "public_key_file", "jwks_url"} {
		if at[name] != nil {
			given = append(given, at[name])
		}
	}
	if len(given) == 0 {
		d.error(block.DefRange, "No key", "Nothing says who signs the tokens. Add one of %s.", ways)
	}
	for _, extra := range given[min(1, len(given)):] {
		d.error(extra.NameRange, "Two keys", "Exactly one of %s says who signs the tokens, and %q is there already.", ways, given[0].Name)
	}
	a.Secrets = d.jwtSecrets(at["secret"])
	d.readable(at["public_key_file"], &a.PublicKeyFile)
	if beyond := d.url(at["jwks_url"], &a.JWKSURL); beyond && !strings.HasPrefix(strings.ToLower(a.JWKSURL), "https:") {
		d.error(at["jwks_url"].Expr.Range(), "Keys over plain http",
			`Whoever sits between could put in keys of their own. "jwks_url" needs https beyond this machine.`)
	}
}

func (d *decoder) jwtSecrets(attr *hcl.Attribute) []redact.Secret {
	const everywhere = true // a token can come from anybody, also on a loopback listener
	secrets := d.secrets(attr, everywhere)
	if slices.ContainsFunc(secrets, func(s redact.Secret) bool { return len(s) < leastHMAC }) {
		d.warn(attr.Expr.Range(), "Short secret",
			`Whoever has one token can try secrets until one fits. Make up one of %d bytes or more at random: openssl rand -base64 48.`, leastHMAC)
	}
	return secrets
}

// algorithms takes the names that a key of the sort that is there can sign with.
func (d *decoder) algorithms(at hcl.Attributes, into *[]string) {
	var names []string
	attr := at["algorithms"]
	if !d.texts(attr, &names) {
		return
	}
	if len(names) == 0 {
		d.error(attr.Expr.Range(), "Empty list", `"algorithms" is empty, so that no token would do. Leave it out for those of the key.`)
	}
	var other []string
	var sort string
	allowed := slices.Concat(hmacAlgorithms, keyAlgorithms)
	switch hmac, key := at["secret"] != nil, at["public_key_file"] != nil || at["jwks_url"] != nil; {
	case hmac && !key:
		allowed, other, sort = hmacAlgorithms, keyAlgorithms, "a secret"
	case key && !hmac:
		allowed, other, sort = keyAlgorithms, hmacAlgorithms, "a public key"
	}
	for i, name := range names {
		written := elementRange(attr.Expr, i)
		switch {
		case slices.Contains(allowed, name):
		case strings.EqualFold(name, "none"):
			d.error(written, "Algorithm without a signature", `With "none" anybody could write tokens for anybody. Bridge never takes it.`)
		case slices.Contains(other, name):
			d.error(written, "Wrong algorithm", "%q does not go with %s. With it: %s.", name, sort, strings.Join(allowed, ", "))
		default:
			d.error(written, "Unknown algorithm", "There is no algorithm %q.%s", name, suggest(name, allowed, "There are"))
		}
	}
	*into = names
}

func (d *decoder) userID(attr *hcl.Attribute) *expr.Expr {
	if attr == nil {
		e, _ := expr.Parse([]byte("claims.sub"), "default", hcl.InitialPos, claimRoots)
		return e
	}
	e, diags := expr.New(attr.Expr, d.src.file.Bytes, claimRoots)
	d.diags = append(d.diags, diags...)
	if e != nil && len(e.Roots()) == 0 {
		d.error(attr.Expr.Range(), "Invalid expression", `"user_id" names no claim, so that everybody would be the same user. Example: user_id = claims.sub`)
	}
	return e
}
