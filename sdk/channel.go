package sdk

import "github.com/protocol-bridge/bridge/internal/channel"

// CheckChannel returns nil when name may name a channel, and else an error that says why not: no
// white space, no control characters, not beginning with "$", 255 bytes at most.
func CheckChannel(name string) error { return channel.Check(name) }
