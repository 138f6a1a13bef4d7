// Package redact owns the type of values that must not be seen: configured secrets, tokens and
// passwords. It does not find secrets in text.
package redact

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Stars is what a [Secret] prints as, whatever it holds and however long it is.
const Stars = "***"

// Secret is a value that prints as [Stars] with the verbs of fmt, in slog, JSON, XML and text.
// The zero value is an empty secret; it prints as stars too.
//
// Keep a Secret in an exported field: fmt prints unexported fields without asking their type, and
// so it does for the verb %p, which is a mistake anyway. As the key of a map it would show in JSON.
type Secret string

// Reveal returns the value itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// Equal reports whether given is the secret, in a time that does not depend on where they differ or
// on how long the secret is. An empty secret equals nothing, not even the empty string.
func (s Secret) Equal(given string) bool {
	want, got := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && s != ""
}

// String implements [fmt.Stringer].
func (s Secret) String() string { return Stars }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return Stars }

// Format implements [fmt.Formatter], for the verbs that ask neither String nor GoString.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Stars) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(Stars) }

// MarshalJSON implements [json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Stars + `"`), nil }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(Stars), nil }
