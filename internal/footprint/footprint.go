// Package footprint sets how much of the machine a process of Bridge takes: how many processors, and how
// much memory before the first is spent on collecting the second. What the operator says in GOMAXPROCS
// and GOGC goes before.
package footprint

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Core sets the footprint of `bridge run`.
func Core() {
	leaveProcessor()
	heapFloor(64 << 20)
}

// Plugin sets that of a plugin's process, whose processor the core has set.
func Plugin() { heapFloor(16 << 20) }

// leaveProcessor leaves one processor to the plugins, each of which runs on one: a core that takes them
// all is woken on a processor that its plugin is about to need, sends what it has in more and smaller
// batches, and both wait for each other. On two processors that costs a third of the rate.
func leaveProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)-1))
	}
}

// heapFloor lets the heap grow to so many bytes before it is collected. Without it a process that holds
// little, and allocates much for a moment each, is collected every few MiB; above, GOGC's usual 100 holds.
func heapFloor(bytes uint64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	f := &floor{bytes: bytes, samples: []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}}
	f.set()
	f.watch()
}

type floor struct {
	bytes   uint64
	samples []metrics.Sample
	percent int // in force; 0: none was set
}

// watch sets the percentage anew behind each collection: that is when what nobody holds is finalized.
func (f *floor) watch() {
	type cycle struct{ f *floor }
	runtime.SetFinalizer(&cycle{f}, func(c *cycle) {
		c.f.set()
		c.f.watch()
	})
}

func (f *floor) set() {
	metrics.Read(f.samples)
	live := f.samples[0].Value.Uint64()
	percent := f.percentFor(live, live+f.samples[1].Value.Uint64()+f.samples[2].Value.Uint64())
	// Each change stops the world for a moment.
	if diff := percent - f.percent; diff > f.percent/8 || -diff > f.percent/8 {
		debug.SetGCPercent(percent)
		f.percent = percent
	}
}

// leastHeap is what the runtime multiplies before it knows of anything that is held.
const leastHeap = 4 << 20

// percentFor is the percentage of rooted bytes, of which live are on the heap, that makes the heap grow
// to the floor.
func (f *floor) percentFor(live, rooted uint64) int {
	const usual = 100
	if live >= f.bytes {
		return usual
	}
	return max(usual, int((f.bytes-live)*100/max(rooted, leastHeap)))
}
