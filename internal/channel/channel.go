// Package channel owns the rule for channel names, which every protocol shares, but for the private
// ones of a plugin. Who may join or
// publish to a channel is decided elsewhere, and so are the patterns of bridge.hcl: in a name,
// characters such as ".", "*", ">", "@", "|" and ":" mean nothing.
package channel

import (
	"errors"
	"unicode"
	"unicode/utf8"
)

// MaxLength is the number of bytes that a channel name may have.
const MaxLength = 255

// What Check finds wrong with a name. The texts do not hold the name itself.
var (
	ErrEmpty    = errors.New("channel name is empty")
	ErrTooLong  = errors.New("channel name is longer than 255 bytes")
	ErrReserved = errors.New(`channel name begins with "$", which is for channels that plugins keep to themselves`)
	ErrSpace    = errors.New("channel name has white space in it")
	ErrControl  = errors.New("channel name has a control character in it")
	ErrEncoding = errors.New("channel name is not valid UTF-8")
)

// Check returns nil when name may name a channel, and else one of the errors above. A name is taken
// or refused as it is, never rewritten.
func Check(name string) error {
	switch {
	case name == "":
		return ErrEmpty
	case len(name) > MaxLength:
		return ErrTooLong
	case IsPrivate(name):
		return ErrReserved
	}
	return checkBytes(name)
}

// IsPrivate says whether a name is a private one: each plugin has such channels for itself, and nothing
// that comes from outside names one.
func IsPrivate(name string) bool { return name != "" && name[0] == '$' }

// CheckOwn is Check for what a plugin names by itself, which may be a private channel.
func CheckOwn(name string) error {
	if !IsPrivate(name) {
		return Check(name)
	}
	if len(name) > MaxLength {
		return ErrTooLong
	}
	return checkBytes(name)
}

func checkBytes(name string) error {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f {
			return checkRunes(name)
		}
	}
	return nil
}

// checkRunes looks at what lies outside printable ASCII.
func checkRunes(name string) error {
	if !utf8.ValidString(name) {
		return ErrEncoding
	}
	for _, r := range name {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Z, r):
			return ErrSpace
		case unicode.IsControl(r):
			return ErrControl
		}
	}
	return nil
}
