package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

const (
	maxToken = 16 << 10 // bytes of a whole token
	// maxTokenDepth is how many arrays and objects may lie inside each other in a token's JSON.
	maxTokenDepth = 32
)

// token is a JSON web token taken apart. Nothing of it has been proved.
type token struct {
	alg       string
	kid       string // empty: none
	signed    []byte // what the signature is of
	signature []byte
	claims    []byte // a JSON object, as it stands in the token

	expires             time.Time
	notBefore, issuedAt time.Time // zero: not said
}

// parseToken takes a signed token in the compact form apart. It is as strict as the forms are, so that
// nobody can read a token in another way: one encoding, no key twice, and no header that changes what
// the signature means. Headers that bring a key along are not looked at.
func parseToken(text string) (*token, error) {
	if len(text) > maxToken {
		return nil, errors.New("token is too long")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("token does not have three parts")
	}
	var t token
	header, err := decodeObject(parts[0])
	if err != nil {
		return nil, fmt.Errorf("header %w", err)
	}
	if err := t.readHeader(header); err != nil {
		return nil, err
	}
	if t.claims, err = decodeObject(parts[1]); err != nil {
		return nil, fmt.Errorf("payload %w", err)
	}
	if err := t.readClaims(); err != nil {
		return nil, err
	}
	if t.signature, err = decodePart(parts[2]); err != nil || len(t.signature) == 0 {
		return nil, errors.New("signature is missing or malformed")
	}
	t.signed = []byte(text[:len(parts[0])+1+len(parts[1])])
	return &t, nil
}

// decodePart decodes base64url without padding.
func decodePart(part string) ([]byte, error) {
	// The decoder takes line breaks for nothing.
	if strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("line break in base64")
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}

func decodeObject(part string) ([]byte, error) {
	raw, err := decodePart(part)
	switch {
	case err != nil:
		return nil, errors.New("is not base64url")
	case !utf8.Valid(raw) || !rawjson.Valid(raw) || rawjson.KindOf(raw) != rawjson.Object:
		return nil, errors.New("is not a JSON object")
	case !uniqueKeys(raw, maxTokenDepth):
		return nil, errors.New("has a key twice, or is nested too deeply")
	}
	return raw, nil
}

// uniqueKeys reports whether no object of a valid document has two members of one name, and no more
// than depth arrays and objects lie inside each other.
func uniqueKeys(doc []byte, depth int) bool {
	kind := rawjson.KindOf(doc)
	if kind != rawjson.Object && kind != rawjson.Array {
		return true
	}
	if depth == 0 {
		return false
	}
	seen := make(map[string]bool)
	for key, value := range rawjson.Members(doc) {
		name, _ := rawjson.Text(key)
		if seen[string(name)] || !uniqueKeys(value, depth-1) {
			return false
		}
		seen[string(name)] = true
	}
	for value := range rawjson.Elements(doc) {
		if !uniqueKeys(value, depth-1) {
			return false
		}
	}
	return true
}

func (t *token) readHeader(header []byte) error {
	var ok bool
	for key, value := range rawjson.Members(header) {
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "alg":
			if t.alg, ok = text(value); !ok {
				return errors.New("alg is not text")
			}
		case "kid":
			if t.kid, ok = text(value); !ok {
				return errors.New("kid is not text")
			}
		case "crit", "b64": // extensions that must be understood, of which there are none here
			return fmt.Errorf("header has %q", name)
		}
	}
	if t.alg == "" {
		return errors.New("header has no alg")
	}
	return nil
}

func (t *token) readClaims() (err error) {
	for key, value := range rawjson.Members(t.claims) {
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "exp":
			t.expires, err = numericDate(value)
		case "nbf":
			t.notBefore, err = numericDate(value)
		case "iat":
			t.issuedAt, err = numericDate(value)
		}
		if err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	if t.expires.IsZero() {
		return errors.New("token has no exp")
	}
	return nil
}

// says reports whether a claim is this text.
func (t *token) says(claim, want string) bool { return rawjson.Equal(member(t.claims, claim), want) }

// lists reports whether a claim is a list with this text.
func (t *token) lists(claim, want string) bool {
	for element := range rawjson.Elements(member(t.claims, claim)) {
		if rawjson.Equal(element, want) {
			return true
		}
	}
	return false
}

// signedByOne reports whether one of the keys signed the token: one of its key id where there is any,
// else one without an id, or, when the token names none, any.
func (t *token) signedByOne(keys []verifyKey) bool {
	named := t.names(keys)
	for i := range keys {
		k := &keys[i]
		mayBe := t.kid == "" || k.id == t.kid || !named && k.id == ""
		if mayBe && k.verifies(t.alg, t.signed, t.signature) {
			return true
		}
	}
	return false
}

// names reports whether the token says of which of the keys it is.
func (t *token) names(keys []verifyKey) bool {
	return t.kid != "" && slices.ContainsFunc(keys, func(k verifyKey) bool { return k.id == t.kid })
}

func text(raw []byte) (string, bool) {
	s, ok := rawjson.Text(raw)
	return string(s), ok
}

var errDate = errors.New("is not a number of seconds")

// dateForm bounds the digits of what is calculated with.
var dateForm = regexp.MustCompile(`^-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$`)

// Dates lie in the years 1 to 9999, in seconds since 1970. The first second is left out: the zero Time
// means that there is none.
const (
	minDate = -62135596800 + 1
	maxDate = 253402300799
)

// numericDate reads seconds since 1970 exactly; a fraction is dropped.
func numericDate(raw []byte) (time.Time, error) {
	if !dateForm.Match(raw) {
		return time.Time{}, errDate
	}
	r, ok := new(big.Rat).SetString(string(raw))
	if !ok {
		return time.Time{}, errDate
	}
	seconds := new(big.Int).Div(r.Num(), r.Denom())
	if !seconds.IsInt64() || seconds.Int64() < minDate || seconds.Int64() > maxDate {
		return time.Time{}, errors.New("is a date beyond the years 1 to 9999")
	}
	return time.Unix(seconds.Int64(), 0), nil
}
