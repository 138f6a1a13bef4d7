package sdk

import (
	"time"

	"github.com/protocol-bridge/bridge/internal/attempts"
)

// Attempts counts wrong attempts of the last seconds or minutes under names, for a plugin that takes secrets of its
// own: who tries too many should not be told whether the next is right. It lives in the process, which
// forgets it when it dies; nothing but such a brake may rest on it. The times are those of events
// ([Conn.Time]).
type Attempts = attempts.Counter

// NewAttempts returns an empty count, to be shared by all steps, in which an attempt counts for so long; 0
// means 3 seconds.
func NewAttempts(lasts time.Duration) *Attempts { return attempts.New(lasts) }

// AddressName returns under what name attempts from a client's address (SessionInfo.RemoteAddress) are to be
// counted: an IPv6 address stands for its /64, an IPv4-mapped one is IPv4, and what is no address stands for
// itself. It also reports whether that is this machine.
func AddressName(hostport string) (name string, loopback bool) { return attempts.AddressName(hostport) }
