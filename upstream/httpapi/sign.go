package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the name of the header that says who asks.
const SignatureHeader = "Bridge-Signature"

// DefaultTolerance is how far the time of a signature may be from a back-end's own, by custom.
const DefaultTolerance = 5 * time.Minute

// Errors of [Verify].
var (
	ErrSignature = errors.New("the signature is missing or wrong")
	ErrTime      = errors.New("the signature's time is too far from ours")
)

// AppendSignature appends the value of the header for a body: "t=<unix seconds>,v1=<hex>", with a v1
// for each secret, in their order. A v1 is the HMAC-SHA256 of "<t>.<body>".
func AppendSignature(dst []byte, now time.Time, body []byte, secrets ...string) []byte {
	dst = append(dst, "t="...)
	from := len(dst)
	dst = strconv.AppendInt(dst, now.Unix(), 10)
	stamp := string(dst[from:])
	for _, secret := range secrets {
		dst = hex.AppendEncode(append(dst, ",v1="...), sum(secret, stamp, body))
	}
	return dst
}

func sum(secret, stamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(stamp))
	h.Write([]byte{'.'})
	h.Write(body)
	return h.Sum(nil)
}

// Verify reports whether header is a signature of body, made within tolerance of now with one of the
// secrets; nil means that it is. An empty secret signs nothing. tolerance 0 means [DefaultTolerance].
// The error is ErrSignature or ErrTime. A back-end in Go calls it with the value of the header
// Bridge-Signature and the body as it came, before it is parsed.
func Verify(header string, body []byte, now time.Time, tolerance time.Duration, secrets ...string) error {
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	var stamp string
	var sums [][]byte
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			stamp = value
		case "v1":
			if given, err := hex.DecodeString(value); err == nil {
				sums = append(sums, given)
			}
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || !signed(sums, stamp, body, secrets) {
		return ErrSignature
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return ErrTime
	}
	return nil
}

func signed(sums [][]byte, stamp string, body []byte, secrets []string) bool {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		want := sum(secret, stamp, body)
		for _, given := range sums {
			if hmac.Equal(given, want) {
				return true
			}
		}
	}
	return false
}
