//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/bench/load"
	"github.com/protocol-bridge/bridge/bench/process"
)

const (
	idleConnections = 10_000
	mostHeld        = 100_000
	// idleAfter is more than connections wait before the core thinks of them as idle.
	idleAfter = 8 * time.Second
)

func (b *bench) idleEcho() (string, error) {
	return b.idle(b.core(), echoHCL, load.Spec{Kind: load.Echo, Path: "/echo", Size: 64}, idleConnections)
}

func (b *bench) idleCTProto() (string, error) {
	spec := load.Spec{Kind: load.CTProto, Path: "/client", Token: token()}
	return b.idle(b.core(), claimsHCL, spec, idleConnections)
}

func (b *bench) idleTLS() (string, error) {
	core := b.core()
	core.tls = true
	return b.idle(core, echoHCL, load.Spec{Kind: load.Echo, Path: "/echo", Size: 64, TLS: true}, idleConnections)
}

// held holds as many as the limit of open files allows: a core takes nine tenths of it.
func (b *bench) held() (string, error) {
	files, err := openFiles()
	if err != nil {
		return "", err
	}
	n := min(mostHeld, files/10*9-2*connections)
	text, err := b.idle(b.core(), echoHCL, load.Spec{Kind: load.Echo, Path: "/echo", Size: 64}, n)
	return fmt.Sprintf("%d held, where %d files may be open: %s", n, files, text), err
}

// idle measures what an idle connection costs, once: memory does not depend on who else runs.
func (b *bench) idle(core coreOf, hcl string, spec load.Spec, n int) (text string, err error) {
	server, err := core.start(hcl)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	// A few connections before, so that what is made once is not counted.
	warm, err := server.hold(spec, connections)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, warm.stop()) }()
	before, err := resident(server)
	if err != nil {
		return "", err
	}
	held, err := server.hold(spec, n)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, held.stop()) }()
	time.Sleep(idleAfter)
	raw, err := process.RSS(server.pids[0])
	if err != nil {
		return "", err
	}
	after, err := resident(server)
	if err != nil {
		return "", err
	}
	if b.heapProfile != "" {
		if err := server.ask("heap", nil); err != nil {
			return "", err
		}
	}
	took, err := held.wake()
	if err != nil {
		return "", err
	}
	each := func(bytes int) float64 { return float64(bytes) / 1024 / float64(n) }
	return fmt.Sprintf("**%.2f KiB** (%.2f before a collection), plugin %.2f KiB; all answer a request within %.0f ms",
		each(after[0]-before[0]), each(raw-before[0]), each(after[1]-before[1]), ms(took)), nil
}

// resident is the memory of the core and of the plugin, after a collection.
func resident(s *server) (sizes []int, err error) {
	if err := unix.Kill(s.pids[1], unix.SIGUSR2); err != nil {
		return nil, err
	}
	if err := s.ask("collect", nil); err != nil {
		return nil, err
	}
	time.Sleep(time.Second) // the plugin does not say when it is through
	for _, pid := range s.pids {
		n, err := process.RSS(pid)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// allocations measures what the core allocates for a frame, by recording every allocation.
func (b *bench) allocations() (text string, err error) {
	core := b.core()
	core.args = append(core.args, "-allocations")
	server, err := core.start(echoHCL)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	spec := load.Spec{
		Kind: load.Echo, Path: "/echo", Connections: connections, InFlight: 16, Size: 64,
		Warmup: warmup, Measure: b.duration(), Watch: server.pids,
	}
	if _, err := server.runLoadOn(spec); err != nil { // what is made once
		return "", err
	}
	var before, after allocations
	if err := server.ask("allocations", &before); err != nil {
		return "", err
	}
	r, err := server.runLoadOn(spec)
	if err != nil {
		return "", err
	}
	if err := b.check("allocations", r); err != nil {
		return "", err
	}
	if err := server.ask("allocations", &after); err != nil {
		return "", err
	}
	each := func(n uint64) float64 { return float64(n) / float64(r.Sent) }
	return fmt.Sprintf("**%.4f**; from batch to socket %.4f, gRPC %.4f, other %.4f; %s",
		each(after.In-before.In), each(after.Out-before.Out), each(after.GRPC-before.GRPC), each(after.Other-before.Other),
		sites(before.Sites, after.Sites, r.Sent)), nil
}

// sites lists where most was allocated.
func sites(before, after map[string]uint64, frames uint64) string {
	names := slices.SortedFunc(maps.Keys(after), func(a, b string) int {
		return int(after[b]-before[b]) - int(after[a]-before[a])
	})
	var list []string
	for _, name := range names[:min(len(names), 5)] {
		if n := after[name] - before[name]; n*10_000 > frames {
			list = append(list, fmt.Sprintf("%s %.4f", name, float64(n)/float64(frames)))
		}
	}
	if len(list) == 0 {
		return "no site above 0.0001"
	}
	return strings.Join(list, ", ")
}
