//go:build linux

package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/bench/process"
)

// figures are what the processes hold at a moment.
type figures struct {
	at time.Duration // since the load began
	of [kinds]float64
}

// kind is what is looked at.
type kind int

const (
	coreMemory kind = iota
	coreHeap
	goroutines
	coreFiles
	coreThreads
	pluginMemory // of the plugin that is never killed
	pluginFiles
	pluginThreads
	kinds
)

// measured says how a kind is called, in what it is counted, and by how much it may rise with each
// session that comes and goes.
type measured struct {
	name    string
	kibs    bool
	allowed float64
	// slack is what it may differ by at rest, whatever came: the collector's and the pools'.
	slack float64
}

var measures = [kinds]measured{
	coreMemory:    {"core: resident memory, KiB", true, 0.125, 16 << 10},
	coreHeap:      {"core: heap held, KiB", true, 0.125, 2 << 10},
	goroutines:    {"core: goroutines", false, 0.002, 30},
	coreFiles:     {"core: descriptors, but for back-ends", false, 0.002, 30},
	coreThreads:   {"core: threads", false, 0.002, 12},
	pluginMemory:  {"plugin: resident memory, KiB", true, 0.125, 4 << 10},
	pluginFiles:   {"plugin: descriptors", false, 0.002, 4},
	pluginThreads: {"plugin: threads", false, 0.002, 8},
}

// String is for a line of progress.
func (f figures) String() string {
	parts := make([]string, kinds)
	for i, m := range measures {
		parts[i] = fmt.Sprintf("%s %.0f", m.name, f.of[i])
	}
	return strings.Join(parts, "; ")
}

// figures looks at the processes.
func (s *soak) figures() (f figures, err error) {
	m, err := s.bridge.metrics()
	if err != nil {
		return f, err
	}
	all, err := s.bridge.plugins()
	if err != nil {
		return f, err
	}
	f.of[coreHeap] = m["go_gc_heap_live_bytes"] / 1024
	f.of[goroutines] = m["go_goroutines"]
	for _, p := range []struct {
		pid                    int
		memory, files, threads kind
	}{
		{s.bridge.pid(), coreMemory, coreFiles, coreThreads},
		{all["calm"].PID, pluginMemory, pluginFiles, pluginThreads},
	} {
		rss, err := process.RSS(p.pid)
		if err != nil {
			return f, err
		}
		f.of[p.memory] = float64(rss) / 1024
		if f.of[p.files], err = entries(p.pid, "fd"); err != nil {
			return f, err
		}
		if f.of[p.threads], err = entries(p.pid, "task"); err != nil {
			return f, err
		}
	}
	f.of[coreFiles] -= float64(s.asking.Load())
	if all["calm"].Restarts > 0 {
		return f, fmt.Errorf("the plugin that nobody kills ended %d times", all["calm"].Restarts)
	}
	return f, nil
}

// entries counts those of a folder of /proc.
func entries(pid int, folder string) (float64, error) {
	list, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), folder))
	return float64(len(list)), err
}

// Report is how a soak went.
type Report struct {
	cfg           Config
	before, after figures // at rest
	samples       []figures
	took          time.Duration

	kills, reloads, came, questions int64
}

// perHour is how many sessions came and went in an hour.
func (r *Report) perHour() float64 { return float64(r.came) / r.took.Hours() }

// rise is how fast a kind rises over the second half of the samples, an hour.
func (r *Report) rise(k kind) float64 {
	half := r.samples[len(r.samples)/2:]
	// The median of the slopes between all pairs (Theil and Sen): a few samples in a moment of trouble do
	// not turn it.
	var slopes []float64
	for i, a := range half {
		for _, b := range half[:i] {
			slopes = append(slopes, (a.of[k]-b.of[k])/(a.at-b.at).Hours())
		}
	}
	if len(slopes) == 0 {
		return 0
	}
	slices.Sort(slopes)
	return slopes[len(slopes)/2]
}

// level is the median of the samples from one part of the time to another.
func (r *Report) level(k kind, from, to float64) float64 {
	n := float64(len(r.samples))
	part := r.samples[int(from*n):int(to*n)]
	values := make([]float64, 0, len(part))
	for _, f := range part {
		values = append(values, f.of[k])
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// AtRest says what there is more, when all clients have left, than with the sessions that came and went
// may be; the error names all of it.
func (r *Report) AtRest() error {
	var rising []string
	for i, m := range measures {
		more, most := r.after.of[i]-r.before.of[i], m.slack+m.allowed*float64(r.came)
		if more > most {
			rising = append(rising, fmt.Sprintf("%s: %.0f more after %d sessions, %.0f at most", m.name, more, r.came, most))
		}
	}
	return asError(rising)
}

// Slopes says what rises under load by more than it may.
func (r *Report) Slopes() error {
	var rising []string
	for i, m := range measures {
		if slope := r.rise(kind(i)); slope > m.allowed*r.perHour() {
			rising = append(rising, fmt.Sprintf("%s: rises by %.0f an hour, %.0f at most", m.name, slope, m.allowed*r.perHour()))
		}
	}
	return asError(rising)
}

func asError(rising []string) error {
	if len(rising) == 0 {
		return nil
	}
	return fmt.Errorf("not flat: %s", strings.Join(rising, "; "))
}

// String is the tables.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v under load: %d sessions and requests came and went, %d questions were answered, none lost or twice, %d kills, %d reloads.\n\n",
		r.took.Round(time.Second), r.came, r.questions, r.kills, r.reloads)
	b.WriteString("| what | after a quarter | at the end | slope of the second half, an hour | allowed | at rest, before | after | allowed more |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i, m := range measures {
		k := kind(i)
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %+.0f | %.0f | %.0f | %.0f | %.0f |\n", m.name,
			r.level(k, 0.2, 0.3), r.level(k, 0.9, 1), r.rise(k), m.allowed*r.perHour(), r.before.of[i], r.after.of[i], m.slack+m.allowed*float64(r.came))
	}
	return b.String()
}
