//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/protocol-bridge/bridge/bench/load"
	"github.com/protocol-bridge/bridge/internal/freeport"
)

// meshHCL has end users who are on a channel from the start.
const meshHCL = `
plugin "mesh" {
  route "/v1/" {
    also = ["/ws/v1"]
    role = "api"
  }
  route "/mesh" {
    role     = "client"
    auth     = auth.none
    channels = ["` + load.MeshChannel + `"]
    config {
      topic = "bench"
    }
  }
}
`

const meshUsers = 100

// meshSends measures sends to single end users. Each is answered, and comes to its end user once.
func meshSends(kind string, askers, inFlight int) func(*bench) (string, error) {
	return func(b *bench) (string, error) {
		d := b.bridge(meshHCL, load.Spec{Kind: kind, Path: "/mesh", Connections: meshUsers, Askers: askers, InFlight: inFlight, Size: 64})
		d.open = true
		samples, err := b.alternate(d)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("**%s**", describe(samples[0])), nil
	}
}

// meshFanoutTo measures publications to end users.
func meshFanoutTo(receivers int) func(*bench) (string, error) {
	return func(b *bench) (string, error) {
		return b.againstLoop(meshHCL, meshFanoutSpec(receivers))
	}
}

func meshFanoutSpec(receivers int) load.Spec {
	return load.Spec{Kind: load.MeshFanout, Path: "/mesh", Connections: receivers + 1, InFlight: 1, Size: 64}
}

// clusterHCL is a node of a cluster; the first address is its own.
const clusterHCL = `
cluster {
  name   = "bench"
  secret = "between nodes"
  listen = %q
  routes = ["nats://%[1]s", "nats://%s"]
}
`

// clusterLatency measures how long a publication takes from a back-end of one node to an end user of another,
// and to one of its own, in the cluster and where there is none.
func (b *bench) clusterLatency() (string, error) {
	var across, within, alone []sample
	for range b.rounds {
		single := b.bridge(meshHCL, meshFanoutSpec(1))
		s, err := b.once(&single)
		if err != nil {
			return "", fmt.Errorf("one node: %w", err)
		}
		alone = append(alone, s)
		pair, err := b.clusterOnce()
		if err != nil {
			return "", fmt.Errorf("two nodes: %w", err)
		}
		across, within = append(across, pair[0]), append(within, pair[1])
	}
	p50 := func(s sample) float64 { return float64(s.P50) / float64(time.Microsecond) }
	p99 := func(s sample) float64 { return float64(s.P99) / float64(time.Microsecond) }
	added := func(f func(sample) float64) spread {
		values := make([]float64, len(across))
		for i := range across {
			values[i] = f(across[i]) - f(alone[i])
		}
		return spreadOf(values)
	}
	say := func(s []sample) string { return fmt.Sprintf("%.0f, %.0f µs", of(s, p50).median, of(s, p99).median) }
	return fmt.Sprintf("p50 **%s µs**, p99 **%s µs**; p50 and p99 to the other node %s, to the same one %s, without a cluster %s",
		added(p50), added(p99), say(across), say(within), say(alone)), nil
}

// clusterOnce starts two nodes and measures from the first one to the second, and to itself.
func (b *bench) clusterOnce() (pair [2]sample, err error) {
	nodes, err := b.nodes()
	defer func() {
		for _, n := range nodes {
			if n != nil {
				err = errors.Join(err, n.stop())
			}
		}
	}()
	if err != nil {
		return pair, err
	}
	for i, to := range []*server{nodes[1], nodes[0]} {
		spec := meshFanoutSpec(1)
		spec.From, spec.Warmup, spec.Measure = nodes[0].address, warmup, b.duration()
		if pair[i].Result, err = to.runLoadOn(spec); err != nil {
			return pair, err
		}
		if err = b.check([]string{"other node", "same node"}[i], pair[i].Result); err != nil {
			return pair, err
		}
	}
	return pair, nil
}

// nodes starts two nodes of a cluster, each of which may wait for the other; where one does not start the other
// is returned all the same.
func (b *bench) nodes() (nodes [2]*server, err error) {
	addresses, err := freeport.Addresses(len(nodes))
	if err != nil {
		return nodes, err
	}
	errs := make(chan error)
	for i := range nodes {
		go func() {
			var err error
			core := b.core()
			nodes[i], err = core.start(meshHCL + fmt.Sprintf(clusterHCL, addresses[i], addresses[1-i]))
			errs <- err
		}()
	}
	err = errors.Join(<-errs, <-errs)
	return nodes, err
}
