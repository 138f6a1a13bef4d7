package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/protocol-bridge/bridge/internal/channel"
)

const (
	subjectPrefix = "bridge.queue."
	streamPrefix  = "BRIDGE_QUEUE_"
	consumerName  = "consumers" // all who consume a topic share it
)

// validTopic says whether a topic may have that name: what may name a channel may name one.
func validTopic(name string) bool { return channel.Check(name) == nil }

const upperHex = "0123456789ABCDEF"

// token is the name in one token of a subject: letters, digits and hyphens are themselves, any other byte is
// "_" and two hexadecimal digits.
func token(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '-', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		default:
			b.Write([]byte{'_', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// fromToken is the name that has that token; false when none has.
func fromToken(tok string) (string, bool) {
	var b strings.Builder
	for rest := tok; rest != ""; {
		if rest[0] != '_' {
			b.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		if len(rest) < 3 {
			return "", false
		}
		c, err := hex.DecodeString(rest[1:3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		rest = rest[3:]
	}
	name := b.String()
	return name, validTopic(name) && token(name) == tok
}

// maxStreamToken keeps the name of a stream, which names a folder too, shorter than a file's may be.
const maxStreamToken = 160

// streamOf is the stream of the topic with that token. A long one is cut short by its hash, before which
// stand two "_", as in no token.
func streamOf(tok string) string {
	if len(tok) > maxStreamToken {
		sum := sha256.Sum256([]byte(tok))
		tok = "__" + hex.EncodeToString(sum[:])
	}
	return streamPrefix + tok
}
