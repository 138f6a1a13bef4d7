//go:build !linux

package listen

import "errors"

// pollers are for Linux: elsewhere each connection has a goroutine of its own.
type pollers struct{}

type poller struct{}

func (*Server) startPollers() {}

func (*pollers) pick() *poller { return nil }

func (*pollers) stop() {}

func (*poller) add(*conn) error { return errors.ErrUnsupported }
