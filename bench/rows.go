//go:build linux

package main

import (
	"errors"
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
		"gorilla-16", "echo through an out-of-process plugin, 100×16×64 B, against plain in-process gorilla: rate",
		"≥ 3", "3.5", echoAgainst(gorillaSide, 16, 64),
	},
	{"gorilla-1", "the same, 100×1", "≥ 0.9", "1.2", echoAgainst(gorillaSide, 1, 64)},
	{
		"optimised-64", "against the optimised in-process echo, 100×16×64 B: rate",
		"≥ 0.55", "0.70", echoAgainst(optimisedSide, 16, 64),
	},
	{"optimised-1k", "the same with 1 KiB", "≥ 0.55", "0.70", echoAgainst(optimisedSide, 16, 1024)},
	{"latency", "one connection, one in flight: added p50", "≤ 80 µs", "60 µs", (*bench).latency},
	{
		"ctproto", "CTProto request and response against the Node ctproto server, 100×16: rate",
		"≥ 5, ≤ 0.2 of its CPU", "8", (*bench).ctproto,
	},
	{
		"proxy", "CTProto request proxied to a Logux back-end against Centrifugo's gRPC RPC proxy, 100×16: rate",
		"≥ 3", "4", (*bench).proxy,
	},
	{
		"logux-0", "Logux action against `@logux/server` 0.13.1, a back-end that answers at once, 100×1: rate",
		"≥ 8, ≤ 0.125 of its CPU", "15", loguxAgainstNode(0, 1, connections),
	},
	{"logux-5", "the same, a back-end that takes 5 ms", "≥ 1", "", loguxAgainstNode(5*time.Millisecond, 1, connections)},
	{"logux-50", "the same, a back-end that takes 50 ms", "≥ 1", "", loguxAgainstNode(50*time.Millisecond, 1, connections)},
	{"logux-batch", "the first with up to 32 commands in a request, 4 requests at a time", "reported", "15", loguxAgainstNode(0, 32, 4)},
	{
		"fanout-1000", "fan-out to 1,000 subscribers against a naive loop: CPU a delivery",
		"≤ 0.5", "0.2", fanoutTo(1000, false),
	},
	{"fanout-5000", "the same, 5,000 subscribers", "≤ 0.5", "0.2", fanoutTo(5000, false)},
	{"templated-1000", "1,000 subscribers, a frame that differs for each", "≤ 0.5", "0.2", fanoutTo(1000, true)},
	{"templated-5000", "5,000 subscribers, a frame that differs for each", "≤ 0.5", "0.2", fanoutTo(5000, true)},
	{
		"logux-fanout", "a Logux action resent to 1,000 subscribers, against `@logux/server` 0.13.1: CPU a delivery",
		"reported", "", loguxFanoutTo(1000),
	},
	{"chat-100", "chat, messages a second into a room of 100, said by 16 of them", "reported", "", chatRoom(100)},
	{"chat-1000", "the same, a room of 1,000", "reported", "", chatRoom(1000)},
	{"chat-history", "chat, pages of 30 out of a history of a million", "reported", "", chatPages},
	{"chat-login", "chat, log-ins with a password", "reported", "", chatLogIns},
	{"idle", "10,000 idle connections: resident memory of the core for each", "≤ 2.0 KiB", "", (*bench).idleEcho},
	{
		"idle-ctproto", "the same, authorized CTProto sessions with 200 bytes of claims on one channel",
		"≤ 3.5 KiB", "", (*bench).idleCTProto,
	},
	{"idle-logux", "10,000 idle Logux clients, beside `@logux/server` 0.13.1", "reported", "", (*bench).idleLogux},
	{"idle-tls", "10,000 idle connections over TLS", "reported", "", (*bench).idleTLS},
	{"held", "as many idle connections as the limit of open files allows, up to 100,000", "", "100,000", (*bench).held},
	{"kill-echo", "plugin killed under load, echo: pause seen by clients", "≤ 25 ms", "", (*bench).killEcho},
	{
		"kill-ctproto", "the same, CTProto in front of a back-end that is to be asked once",
		"≤ 25 ms", "", killCTProto(""),
	},
	{"kill-mtls", "the same, core and plugin speak TLS", "≤ 75 ms", "", killCTProto(mtls)},
	{"kill-standby", "the same, a second process stands by", "≤ 25 ms", "10 ms", killCTProto(standby)},
	{"stalled", "1 client of 1,000 does not read: p99 of the others, against when it does", "< 1.05", "", (*bench).stalled},
	{"queue-push", "frames of 64 B pushed to one topic and answered when they are stored, 100×16: rate", "reported", "", queued("/push", connections, 16)},
	{"queue-pop", "frames pushed to a topic of their session's and delivered to it, 16×64: rate", "reported", "", queued("/pop", 16, 64)},
	{
		"mesh-http", "mesh.send over HTTP to 100 end users, 64 kept connections: requests a second",
		"reported", "", meshSends(load.MeshHTTP, 64, 1),
	},
	{"mesh-ws", "the same over WebSockets, 4×25", "reported", "", meshSends(load.MeshSocket, 4, 25)},
	{
		"mesh-fanout-1000", "mesh.publish, counted, to 1,000 end users against a naive loop: CPU a delivery",
		"≤ 0.5", "", meshFanoutTo(1000),
	},
	{"mesh-fanout-5000", "the same, 5,000 end users", "≤ 0.5", "", meshFanoutTo(5000)},
	{
		"cluster-latency", "mesh.publish on one node to an end user of another, one at a time: added p50 and p99",
		"reported", "", (*bench).clusterLatency,
	},
	{"expression", "the runtime expression payload.token, of a payload of 100 bytes", "≤ 3 µs", "", (*bench).expression},
	{"allocations", "allocations in the core's own code from socket to batch, a frame", "0", "", (*bench).allocations},
}

// core is the core that is measured, with profiles if there are to be some.
func (b *bench) core() coreOf {
	args := []string{"-cpuprofile", b.cpuProfile, "-pluginprofile", b.pluginProfile, "-heapprofile", b.heapProfile}
	return coreOf{binary: self, env: b.env, args: args}
}

// bridge is a core and its plugin.
func (b *bench) bridge(hcl string, spec load.Spec) side {
	core := b.core()
	return side{name: "bridge", spec: spec, start: func() (*server, error) { return core.start(hcl) }}
}

// or is what a side is compared with: the same of another build where one was given.
func (b *bench) or(baseline side, hcl string, spec load.Spec) side {
	if b.against == "" {
		return baseline
	}
	other := coreOf{binary: b.against}
	return side{name: "other", spec: spec, start: func() (*server, error) { return other.start(hcl) }}
}

func gorillaSide(spec load.Spec) side {
	return side{name: "gorilla", spec: spec, start: func() (*server, error) { return start("baseline-gorilla") }}
}

func optimisedSide(spec load.Spec) side {
	return side{name: "optimised", spec: spec, start: func() (*server, error) { return start("baseline-optimised") }}
}

// connections is how many there are where the row does not say otherwise.
const connections = 100

// echoAgainst compares the rates of echoes.
func echoAgainst(base func(load.Spec) side, inFlight, size int) func(*bench) (string, error) {
	return func(b *bench) (string, error) {
		spec := load.Spec{Kind: load.Echo, Path: "/echo", Connections: connections, InFlight: inFlight, Size: size}
		bridge, other := b.bridge(echoHCL, spec), b.or(base(spec), echoHCL, spec)
		bridge.open, other.open = true, true
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
	spec := load.Spec{Kind: load.Echo, Path: "/echo", Connections: 1, InFlight: 1, Size: 64}
	samples, err := b.alternate(b.bridge(echoHCL, spec), b.or(optimisedSide(spec), echoHCL, spec))
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

// peer is what another server did on the same work when it was last measured, beside a gorilla echo
// of that processor time: so how fast the machine is by now is known.
type peer struct {
	rate, cpu  float64 // messages a second; µs a message
	gorillaCPU float64 // µs a message
}

var (
	nodeCTProto     = peer{rate: 36_000, cpu: 21, gorillaCPU: 4.8}
	centrifugoProxy = peer{rate: 14_000, cpu: 79, gorillaCPU: 4.8}
)

// againstPeer compares requests of CTProto with a peer that does not run here.
func (b *bench) againstPeer(hcl string, backend *server, p peer) (string, error) {
	spec := load.Spec{Kind: load.CTProto, Path: "/client", Connections: connections, InFlight: 16}
	bridge := b.bridge(hcl, spec)
	bridge.open = true
	if backend != nil {
		bridge.beside = backend.pids[0]
	}
	echo := load.Spec{Kind: load.Echo, Path: "/echo", Connections: connections, InFlight: 16, Size: 64}
	samples, err := b.alternate(bridge, b.or(gorillaSide(echo), hcl, spec))
	if err != nil {
		return "", err
	}
	if b.against != "" {
		return fmt.Sprintf("**%s**; %s; other: %s", ratios(samples[0], samples[1], rate), describe(samples[0]), describe(samples[1])), nil
	}
	slower := of(samples[1], cpu).median / p.gorillaCPU
	return fmt.Sprintf("**%s**, %s of its CPU; %s; the peer: %s, CPU %.0f µs, scaled by %.2f, what gorilla takes more by now",
		of(samples[0], rate).scaled(slower/p.rate), of(samples[0], cpu).scaled(1/(p.cpu*slower)), describe(samples[0]),
		thousands(p.rate), p.cpu, slower), nil
}

// ctproto measures requests that the built-in back-end answers.
func (b *bench) ctproto() (string, error) { return b.againstPeer(ctprotoHCL, nil, nodeCTProto) }

// proxy measures requests that a back-end in a process of its own answers.
func (b *bench) proxy() (text string, err error) {
	backend, err := start("backend")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, backend.stop()) }()
	return b.againstPeer(fmt.Sprintf(proxyHCL, backend.address), backend, centrifugoProxy)
}
