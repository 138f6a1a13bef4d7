//go:build linux

package main

import (
	"fmt"

	"github.com/protocol-bridge/bridge/bench/load"
)

// stalledTurns is how often in a round there is one that reads, and one that does not: of a fan-out, where all
// deliveries of a publication are late together, a p99 needs many.
const stalledTurns = 25

// stalled measures how long clients wait at half of what the server can do, in turns while one more reads what it
// is sent and while one more does not: its socket is full, and what it is sent waits in the core.
func (b *bench) stalled() (string, error) {
	const others = 999
	text := ""
	for _, kind := range []struct {
		name string
		spec load.Spec
	}{
		{"echo", load.Spec{Kind: load.Echo, Path: "/echo", Connections: others, InFlight: 1, Size: 64}},
		{"fan-out", load.Spec{Kind: load.Fanout, Path: "/echo", Connections: others + 1, InFlight: 1, Size: 64}},
	} {
		most := b.bridge(echoHCL, kind.spec)
		peak, err := b.once(&most)
		if err != nil {
			return "", err
		}
		kind.spec.Rate, kind.spec.Turns = peak.Rate()/2, stalledTurns
		turns := b.bridge(echoHCL, kind.spec)
		turns.name = kind.name
		samples, err := b.alternate(turns)
		if err != nil {
			return "", err
		}
		stalls := func(s sample) float64 { return ms(s.Stalls.P99) }
		reads := func(s sample) float64 { return ms(s.Reads.P99) }
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s **%s**, %.2f ms against %.2f at %s",
			kind.name, of(samples[0], func(s sample) float64 { return stalls(s) / reads(s) }),
			of(samples[0], stalls).median, of(samples[0], reads).median, thousands(kind.spec.Rate))
	}
	return text, nil
}
