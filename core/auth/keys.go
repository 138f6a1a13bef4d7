package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

const (
	minRSABits = 2048
	maxRSABits = 8192 // a larger key only costs time
	// maxKeys bounds a key set. Tokens without a key id are tried with all of them.
	maxKeys = 100
)

// The algorithms of the kinds of keys.
var (
	hmacAlgorithms    = []string{"HS256", "HS384", "HS512"}
	rsaAlgorithms     = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	ed25519Algorithms = []string{"EdDSA", "Ed25519"}
	publicAlgorithms  = slices.Concat(rsaAlgorithms, ed25519Algorithms, []string{"ES256", "ES384", "ES512"})
)

// verifyKey checks signatures. It alone says with which algorithms: what a token says of itself only
// chooses among them, so a public key is never taken for a secret.
type verifyKey struct {
	id         string // kid; empty: none
	algorithms []string
	material   any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// verifies reports whether the key signed.
func (k *verifyKey) verifies(alg string, signed, signature []byte) bool {
	if !slices.Contains(k.algorithms, alg) {
		return false
	}
	known, ok := jwa.LookupSignatureAlgorithm(alg)
	if !ok {
		return false
	}
	v, err := jws.VerifierFor(known)
	return err == nil && v.Verify(k.material, signed, signature) == nil
}

func secretKey(secret string) verifyKey {
	return verifyKey{algorithms: hmacAlgorithms, material: []byte(secret)}
}

// newPublicKey returns the key of a public key of the standard library's.
func newPublicKey(public crypto.PublicKey) (verifyKey, error) {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return verifyKey{}, fmt.Errorf("RSA key of %d bits: it needs %d to %d", bits, minRSABits, maxRSABits)
		}
		return verifyKey{material: p, algorithms: rsaAlgorithms}, nil
	case *ecdsa.PublicKey:
		switch p.Curve {
		case elliptic.P256():
			return verifyKey{material: p, algorithms: []string{"ES256"}}, nil
		case elliptic.P384():
			return verifyKey{material: p, algorithms: []string{"ES384"}}, nil
		case elliptic.P521():
			return verifyKey{material: p, algorithms: []string{"ES512"}}, nil
		}
		return verifyKey{}, errors.New("elliptic curve is none of P-256, P-384 and P-521")
	case ed25519.PublicKey:
		return verifyKey{material: p, algorithms: ed25519Algorithms}, nil
	}
	return verifyKey{}, errors.New("key is none of RSA, EC and Ed25519")
}

// parsePublicKeys reads a file with public keys: PEM, a JWK or a JWK set. There is at least one key
// when the error is nil.
func parsePublicKeys(text []byte) ([]verifyKey, error) {
	if rawjson.KindOf(text) == rawjson.Object {
		if !rawjson.Valid(text) {
			return nil, errors.New("public key is not valid JSON")
		}
		if member(text, "keys") == nil {
			key, err := parseJWK(text)
			if err != nil {
				return nil, err
			}
			return []verifyKey{key}, nil
		}
		keys, err := parseKeySet(text)
		if err == nil && len(keys) == 0 {
			err = errors.New("key set has no key that can verify signatures")
		}
		return keys, err
	}
	var keys []verifyKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return nil, fmt.Errorf("more than %d public keys", maxKeys)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("public key is neither PEM nor a JWK")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (verifyKey, error) {
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE": // for its key; nobody asks for how long and for whom it is
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = cert.PublicKey
		}
	default:
		return verifyKey{}, fmt.Errorf("PEM block %q is no public key", block.Type)
	}
	if err != nil {
		return verifyKey{}, fmt.Errorf("PEM block %q: %w", block.Type, err)
	}
	return newPublicKey(public)
}

// parseKeySet returns those keys of a JWK set that can verify signatures: others, and those of a kind
// that is not known, are left out. The error is for what is no key set.
func parseKeySet(doc []byte) ([]verifyKey, error) {
	if !rawjson.Valid(doc) {
		return nil, errors.New("key set is not valid JSON")
	}
	list := member(doc, "keys")
	if rawjson.KindOf(list) != rawjson.Array {
		return nil, errors.New("key set has no list of keys")
	}
	var keys []verifyKey
	for raw := range rawjson.Elements(list) {
		key, err := parseJWK(raw)
		if err != nil {
			continue
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return nil, fmt.Errorf("key set has more than %d keys", maxKeys)
		}
	}
	return keys, nil
}

// parseJWK takes a public key for signatures from valid JSON.
func parseJWK(raw []byte) (verifyKey, error) {
	parsed, err := jwk.ParseKey(raw)
	if err != nil {
		return verifyKey{}, fmt.Errorf("read JWK: %w", err)
	}
	if private, err := jwk.IsPrivateKey(parsed); err != nil || private {
		// Symmetric ones as well. Who publishes such a key has lost it.
		return verifyKey{}, errors.New("JWK is no public key")
	}
	if use, ok := parsed.KeyUsage(); ok && use != "sig" {
		return verifyKey{}, fmt.Errorf("JWK is for use %q, not for signatures", use)
	}
	if ops, ok := parsed.KeyOps(); ok && !slices.Contains(ops, jwk.KeyOpVerify) {
		return verifyKey{}, errors.New("JWK is not for verifying")
	}
	var public any
	if err := jwk.Export(parsed, &public); err != nil {
		return verifyKey{}, fmt.Errorf("read JWK: %w", err)
	}
	key, err := newPublicKey(public)
	if err != nil {
		return verifyKey{}, err
	}
	key.id, _ = parsed.KeyID()
	if alg, ok := parsed.Algorithm(); ok {
		if !slices.Contains(key.algorithms, alg.String()) {
			return verifyKey{}, fmt.Errorf("JWK is for algorithm %q, which does not fit the key", alg)
		}
		key.algorithms = []string{alg.String()}
	}
	return key, nil
}

// member returns the value of the last member of that name in a valid object; nil: none.
func member(doc []byte, name string) (found []byte) {
	for key, value := range rawjson.Members(doc) {
		if rawjson.Equal(key, name) {
			found = value
		}
	}
	return found
}
