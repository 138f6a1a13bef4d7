//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/protocol-bridge/bridge/bench/load"
	"github.com/protocol-bridge/bridge/bench/process"
)

const loguxHCL = `
auth "static" "dev" {
  tokens = { good-token = "38" }
}
upstream "logux" "app" {
  url             = "http://%s/logux"
  secret          = "` + backendSecret + `"
  batch           = %d
  max_connections = %d
}
plugin "logux" {
  route "/*" {
    role     = "server"
    auth     = auth.static.dev
    upstream = upstream.logux.app
  }
}
`

// loguxPeers is where the Logux servers of npm are, seen from the top of the repository.
const loguxPeers = "test/logux"

// loguxAgainstNode compares actions that a back-end answers after a while with the Logux server of Node.
// That runs any number of requests at a time, each with one command; Bridge as many as there are clients,
// or so many as are given, with several commands each: only what waits is put together.
func loguxAgainstNode(delay time.Duration, batch, requests int) func(*bench) (string, error) {
	return func(b *bench) (text string, err error) {
		if !hasPeers() && b.against == "" {
			return noPeers, nil
		}
		backend, err := start("backend", "-resend", "-delay", delay.String())
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, backend.stop()) }()
		spec := load.Spec{Kind: load.Logux, Path: "/", Connections: connections, InFlight: 1, Warmup: compiling}
		hcl := fmt.Sprintf(loguxHCL, backend.address, batch, requests)
		bridge, other := b.bridge(hcl, spec), b.or(nodeSide(backend, spec), hcl, spec)
		bridge.beside, other.beside = backend.pids[0], backend.pids[0]
		bridge.open, other.open = delay == 0, delay == 0
		samples, err := b.alternate(bridge, other)
		if err != nil {
			return "", err
		}
		p50 := func(s sample) float64 { return ms(s.P50) }
		return fmt.Sprintf("**%s**, **%.3f** of its CPU; %s, p50 %.1f ms; %s: %s, p50 %.1f ms",
			ratios(samples[0], samples[1], rate), ratios(samples[0], samples[1], cpu).median,
			describe(samples[0]), of(samples[0], p50).median,
			other.name, describe(samples[1]), of(samples[1], p50).median), nil
	}
}

// loguxFanoutTo compares actions that the back-end resends to a channel of so many subscribers, which confirm
// them, with the Logux server of Node. The author's are asked one after another by both.
func loguxFanoutTo(receivers int) func(*bench) (string, error) {
	return func(b *bench) (text string, err error) {
		if !hasPeers() && b.against == "" {
			return noPeers, nil
		}
		backend, err := start("backend", "-resend")
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, backend.stop()) }()
		spec := load.Spec{Kind: load.LoguxFanout, Path: "/", Connections: receivers + 1, InFlight: 10, Warmup: compiling}
		hcl := fmt.Sprintf(loguxHCL, backend.address, 1, connections)
		bridge, other := b.bridge(hcl, spec), b.or(nodeSide(backend, spec), hcl, spec)
		samples, err := b.alternate(bridge, other)
		if err != nil {
			return "", err
		}
		p99 := func(s sample) float64 { return ms(s.P99) }
		return fmt.Sprintf("**%s** of its CPU, %s × the rate; %s, p99 %.1f ms; %s: %s, p99 %.1f ms",
			ratios(samples[0], samples[1], cpu), ratios(samples[0], samples[1], rate),
			describe(samples[0]), of(samples[0], p99).median,
			other.name, describe(samples[1]), of(samples[1], p99).median), nil
	}
}

// idleLogux measures what an idle client costs, beside one of the Logux server of Node. That says nothing
// of collections, so that what it has not collected counts.
func (b *bench) idleLogux() (text string, err error) {
	backend, err := start("backend", "-resend")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, backend.stop()) }()
	spec := load.Spec{Kind: load.Logux, Path: "/"}
	if text, err = b.idle(b.core(), fmt.Sprintf(loguxHCL, backend.address, 1, connections), spec, idleConnections); err != nil {
		return "", err
	}
	if !hasPeers() {
		return text + "; node: " + noPeers, nil
	}
	node, err := startNode(backend.address)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, node.stop()) }()
	warm, err := node.hold(spec, connections)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, warm.stop()) }()
	time.Sleep(idleAfter)
	before, err := process.RSS(node.pids[0])
	if err != nil {
		return "", err
	}
	held, err := node.hold(spec, idleConnections)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, held.stop()) }()
	time.Sleep(idleAfter)
	after, err := process.RSS(node.pids[0])
	return fmt.Sprintf("%s; node %.1f KiB", text, float64(after-before)/1024/idleConnections), err
}

// hasPeers says whether there is the Logux server of Node.
func hasPeers() bool {
	_, err := os.Stat(filepath.Join(loguxPeers, "node_modules", "logux-server-4"))
	return err == nil
}

const noPeers = "not measured: run `npm ci --prefix " + loguxPeers + "` before, and this at the top of the repository"

// compiling is how long Node gets to compile what runs often.
const compiling = 4 * time.Second

// nodeSide is the Logux server that asks the back-end.
func nodeSide(backend *server, spec load.Spec) side {
	return side{name: "node", spec: spec, start: func() (*server, error) { return startNode(backend.address) }}
}

func startNode(backend string) (*server, error) {
	command, err := json.Marshal(map[string]any{"start": "bench", "package": "logux-server-4", "options": map[string]any{
		"env": "production", "backend": "http://" + backend + "/logux", "controlSecret": backendSecret,
	}})
	if err != nil {
		return nil, err
	}
	s, err := startWith(newChild("node", filepath.Join(loguxPeers, "servers.mjs")), string(command))
	if err != nil {
		return nil, err
	}
	var said []json.RawMessage // "listening", its name, its port, that of its control endpoint
	port := 0
	if err := json.Unmarshal([]byte(s.address), &said); err != nil || len(said) != 4 || json.Unmarshal(said[2], &port) != nil {
		return nil, errors.Join(fmt.Errorf("the Logux server says %q", s.address), s.stop())
	}
	s.address = "127.0.0.1:" + strconv.Itoa(port)
	return s, nil
}
