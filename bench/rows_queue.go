//go:build linux

package main

import (
	"fmt"

	"github.com/protocol-bridge/bridge/bench/load"
)

const queueHCL = `
plugin "queue" {
  config {
    sync = %q
  }
  route "/push" {
    role = "push"
    auth = auth.none
  }
  route "/pop" {
    role = "pop"
    auth = auth.none
  }
}
`

// queued measures what goes into a topic, or through one, in both ways in which what is stored gets to disk.
func queued(path string, connections, inFlight int) func(*bench) (string, error) {
	return func(b *bench) (string, error) {
		spec := load.Spec{Kind: load.Echo, Path: path, Connections: connections, InFlight: inFlight, Size: 64}
		samples, err := b.alternate(b.bridge(fmt.Sprintf(queueHCL, "always"), spec), b.bridge(fmt.Sprintf(queueHCL, "interval"), spec))
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("always: **%s**; interval: **%s**", describe(samples[0]), describe(samples[1])), nil
	}
}
