//go:build linux

package main

import (
	"fmt"

	"github.com/protocol-bridge/bridge/bench/load"
)

// centrifugoFanout is the processor time of a delivery of Centrifugo 6.9 when it was last measured,
// in µs, and that of the naive loop beside it.
const (
	centrifugoDelivery = 11.4
	naiveDelivery      = 9.1
)

// fanoutTo measures one publisher and many receivers of the echo plugin.
func fanoutTo(receivers int, template bool) func(*bench) (string, error) {
	return func(b *bench) (string, error) {
		spec := load.Spec{Kind: load.Fanout, Path: "/echo", Connections: receivers + 1, Size: 64, Template: template}
		text, err := b.againstLoop(echoHCL, spec)
		return fmt.Sprintf("%s; Centrifugo was at %.2f of the loop", text, centrifugoDelivery/naiveDelivery), err
	}
}

// againstLoop measures a fan-out with one publication in flight, where each delivery is a write of its own,
// and with ten, where those that come together leave together. The loop it is compared with writes once for
// each either way.
func (b *bench) againstLoop(hcl string, spec load.Spec) (string, error) {
	spec.InFlight = 10
	many := b.bridge(hcl, spec)
	spec.InFlight = 1
	one := b.bridge(hcl, spec)
	spec.Kind, spec.Template, spec.Path = load.Fanout, false, "/fanout" // the loop knows no templates
	samples, err := b.alternate(many, one, gorillaSide(spec))
	if err != nil {
		return "", err
	}
	p99 := func(s sample) float64 { return ms(s.P99) }
	say := func(s []sample) string {
		return fmt.Sprintf("%s, p99 %.1f ms", describe(s), of(s, p99).median)
	}
	return fmt.Sprintf("ten in flight **%s**, one in flight **%s**; ten: %s; one: %s; loop: %s",
		ratios(samples[0], samples[2], cpu), ratios(samples[1], samples[2], cpu),
		say(samples[0]), say(samples[1]), say(samples[2])), nil
}
