//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/bench/echoplugin"
	"github.com/protocol-bridge/bridge/bench/queueplugin"
	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/internal/footprint"
	"github.com/protocol-bridge/bridge/plugins"
	"github.com/protocol-bridge/bridge/sdk"
)

// runCore is `bridge run` with a plugin more, and with a way to look inside: it answers lines on
// stdin with lines on stdout, and ends with the former.
func runCore(args []string) error {
	flags := flag.NewFlagSet("core", flag.ContinueOnError)
	file := flags.String("config", "", "configuration file")
	profile := flags.String("cpuprofile", "", "file for the command profile")
	pluginProfile := flags.String("pluginprofile", "", "likewise, of the plugin")
	heap := flags.String("heapprofile", "", "file for the command heap, and with "+pluginSuffix+" that of the plugin")
	allocations := flags.Bool("allocations", false, "record every allocation")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *allocations {
		runtime.MemProfileRate = 1
	}
	recordHeap(*heap)
	cfg, diags := config.Load(*file)
	if diags.HasErrors() {
		return diags
	}
	footprint.Core()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		defer stop()
		obey(*profile, *heap)
	}()
	return core.Run(ctx, cfg, core.Options{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), Version: "bench",
		Builtin: func(typ string) ([]string, bool) {
			return []string{self, "plugin", typ, *pluginProfile, *heap}, true
		},
		Started: func(addresses map[string]string) { fmt.Println(addresses["public"]) },
	})
}

// obey does what lines on stdin say and answers each with a line of JSON.
func obey(profile, heap string) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var answer any
		switch in.Text() {
		case "profile":
			startProfile(profile)
		case "profiled":
			pprof.StopCPUProfile()
		case "collect":
			collect()
		case "heap":
			writeHeap(heap)
		case "allocations":
			answer = allocated()
		}
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			return
		}
	}
}

// startProfile begins a profile. Without one the measurement is as good as with it.
func startProfile(file string) {
	f, err := os.Create(file) //nolint:gosec // the file is the caller's to choose
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// allocations counts what was allocated by where in the core it was.
type allocations struct {
	In    uint64 // from socket to batch
	Out   uint64 // from batch to socket
	GRPC  uint64 // under either
	Other uint64
	Sites map[string]uint64 // by function, of In and Out
}

// allocated is what the process allocated since it started, if it records that.
func allocated() allocations {
	runtime.GC() // what was allocated in a cycle is known
	runtime.GC() // at the end of the next
	n, _ := runtime.MemProfile(nil, true)
	records := make([]runtime.MemProfileRecord, n+100)
	n, _ = runtime.MemProfile(records, true)
	a := allocations{Sites: make(map[string]uint64)}
	for i := range records[:n] {
		a.count(&records[i])
	}
	return a
}

func (a *allocations) count(r *runtime.MemProfileRecord) {
	const ours = "github.com/protocol-bridge/bridge/"
	objects := uint64(r.AllocObjects)
	site, grpc := "", false
	var path *uint64
	frames := runtime.CallersFrames(r.Stack())
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		name, isOurs := strings.CutPrefix(f.Function, ours)
		grpc = grpc || strings.HasPrefix(f.Function, "google.golang.org/")
		if isOurs && site == "" {
			site = fmt.Sprintf("%s:%d", name, f.Line)
		}
		switch name {
		case "core/listen.(*conn).serve", "core/pluginhost.(*Instance).send":
			path = &a.In
		case "core/pluginhost.(*Instance).receive":
			path = &a.Out
		}
	}
	switch {
	case path == nil:
		a.Other += objects
	case grpc:
		a.GRPC += objects
	default:
		*path += objects
		a.Sites[site] += objects
	}
}

// runPlugin is `bridge plugin`, for the built-in ones and the two that measurements have.
func runPlugin(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("plugin needs a name and two files for its profiles, not %q", args)
	}
	heap := args[2]
	if heap != "" {
		heap += pluginSuffix
	}
	recordHeap(heap)
	obeySignals(args[1], heap)
	run := func() int { return sdk.Run(echoplugin.Plugin{}) }
	if args[0] == "queue" {
		run = func() int { return sdk.Run(&queueplugin.Plugin{}) }
	}
	if p, ok := plugins.Find(args[0]); ok {
		run = p.Main
	}
	if status := run(); status != 0 {
		return exitError(status)
	}
	return nil
}

// obeySignals begins a profile at SIGUSR1; at SIGUSR2 it ends it, collects garbage and writes what is
// left: whoever measures a plugin has no other way to speak to it.
func obeySignals(profile, heap string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGUSR1, unix.SIGUSR2)
	go func() {
		for s := range signals {
			switch s {
			case unix.SIGUSR1:
				startProfile(profile)
			case unix.SIGUSR2:
				pprof.StopCPUProfile()
				collect()
				writeHeap(heap)
			}
		}
	}()
}

// collect gives back what is not in use: pools are empty after the second collection.
func collect() {
	runtime.GC()
	debug.FreeOSMemory()
}

const pluginSuffix = ".plugin"

// recordHeap has what is small be seen as well, where there will be a profile.
func recordHeap(file string) {
	if file != "" {
		runtime.MemProfileRate = 1 << 10
	}
}

// writeHeap writes what memory is used for, where that was asked for.
func writeHeap(file string) {
	if file == "" {
		return
	}
	f, err := os.Create(file) //nolint:gosec // the file is the caller's to choose
	if err == nil {
		runtime.GC()
		err = errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
