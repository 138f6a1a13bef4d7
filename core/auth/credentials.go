package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxCredentials bounds a name and a password together, in bytes.
const maxCredentials = 1024

// errNoBasic is returned for a header of another scheme, or none.
var errNoBasic = errors.New("no basic credentials")

// basicCredentials reads the header Authorization as RFC 7617 has it, in UTF-8. The error is
// errNoBasic where that is not what the client sent at all.
func basicCredentials(header string) (name, password string, err error) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", errNoBasic
	}
	encoded = strings.Trim(encoded, " ")
	if len(encoded) > base64.StdEncoding.EncodedLen(maxCredentials) {
		return "", "", errors.New("credentials are too long")
	}
	// The decoder takes line breaks for nothing.
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return "", "", errors.New("credentials are not base64")
	}
	name, password, ok := strings.Cut(string(raw), ":")
	if !ok {
		return "", "", errors.New("credentials have no colon")
	}
	return name, password, checkCredentials(name, password)
}

// checkCredentials refuses what RFC 7617 does. It matters for bcrypt, to which "a" and "a\x00a" are
// the same password.
func checkCredentials(name, password string) error {
	isControl := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case len(name)+len(password) > maxCredentials:
		return errors.New("credentials are too long")
	case !utf8.ValidString(name) || !utf8.ValidString(password):
		return errors.New("credentials are not UTF-8")
	case strings.ContainsFunc(name, isControl) || strings.ContainsFunc(password, isControl):
		return errors.New("credentials hold a control character")
	}
	return nil
}
