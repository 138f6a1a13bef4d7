//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/protocol-bridge/bridge/bench/load"
)

// row is a line of the table.
type row struct {
	name, what    string
	goal, stretch string
	run           func(*bench) (string, error)
}

// rows are all there are, in the order of the table.
var rows = []row{
	{
		"gorilla-16", "echo through an out-of-process plugin, 100×16×64 B, against plain in-process gorilla, rate",
		"≥ 3", "3.5", echoAgainst(gorillaSide, 100, 16, 64),
	},
	{"gorilla-1", "the same, 100×1", "≥ 0.9", "1.2", echoAgainst(gorillaSide, 100, 1, 64)},
	{
		"optimised-64", "against the optimised in-process echo, 100×16×64 B, rate",
		"≥ 0.55", "0.70", echoAgainst(optimisedSide, 100, 16, 64),
	},
	{"optimised-1k", "the same with 1 KiB", "≥ 0.55", "0.70", echoAgainst(optimisedSide, 100, 16, 1024)},
	{"latency", "one connection, one in flight: added p50", "≤ 80 µs", "60 µs", (*bench).latency},
}

func bridgeSide(spec load.Spec) side {
	spec.Path = "/echo"
	return side{name: "bridge", spec: spec}
}

func gorillaSide(spec load.Spec) side {
	spec.Path = "/echo"
	return side{name: "gorilla", spec: spec, start: func() (*server, error) { return start(self, "baseline-gorilla") }}
}

func optimisedSide(spec load.Spec) side {
	spec.Path = "/"
	return side{name: "optimised", spec: spec, start: func() (*server, error) { return start(self, "baseline-optimised") }}
}

// core starts a core, with profiles if there are to be some.
func (b *bench) core(hcl string, args ...string) func() (*server, error) {
	return func() (*server, error) {
		return startCore(self, hcl, append(args, "-cpuprofile", b.cpuProfile, "-pluginprofile", b.pluginProfile)...)
	}
}

// echoAgainst compares the rates of echoes.
func echoAgainst(base func(load.Spec) side, connections, inFlight, size int) func(*bench) (string, error) {
	return func(b *bench) (string, error) {
		spec := load.Spec{Kind: load.Echo, Connections: connections, InFlight: inFlight, Size: size}
		bridge, other := bridgeSide(spec), base(spec)
		bridge.start = b.core(echoHCL)
		bridge.open, other.open = true, true
		if b.against != "" {
			other = bridgeSide(spec)
			other.name = "before"
			other.start = func() (*server, error) { return startCore(b.against, echoHCL) }
			bridge.open = false
		}
		samples, err := b.alternate(bridge, other)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("**%s**; %s; %s: %s", ratios(samples[0], samples[1], rate), describe(samples[0]),
			other.name, describe(samples[1])), nil
	}
}

// latency compares the time of one echo at a time.
func (b *bench) latency() (string, error) {
	spec := load.Spec{Kind: load.Echo, Connections: 1, InFlight: 1, Size: 64}
	bridge, other := bridgeSide(spec), optimisedSide(spec)
	bridge.start = b.core(echoHCL)
	samples, err := b.alternate(bridge, other)
	if err != nil {
		return "", err
	}
	added := make([]float64, b.rounds)
	for i := range added {
		added[i] = float64(samples[0][i].P50-samples[1][i].P50) / float64(time.Microsecond)
	}
	p50 := func(s sample) float64 { return float64(s.P50) / float64(time.Microsecond) }
	return fmt.Sprintf("**%s µs**; p50 %.0f against %.0f µs", spreadOf(added), of(samples[0], p50).median, of(samples[1], p50).median), nil
}
