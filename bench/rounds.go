//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/bench/load"
)

// bench is one run of the command.
type bench struct{ options }

// side is one of what is compared: a server and what is asked of it.
type side struct {
	name  string
	start func() (*server, error)
	spec  load.Spec
	open  bool // measure an open loop beside
	// beside is a process whose processor time is shown but not counted; 0: none.
	beside int
}

// sample is one measurement of a side.
type sample struct {
	*load.Result
	counted int          // of Result.Used: the others are shown only
	open    *load.Result // at half the rate; nil: was not asked for
}

const warmup = 500 * time.Millisecond

// alternate measures the sides in turns, each with a fresh server, and returns the samples of each.
func (b *bench) alternate(sides ...side) ([][]sample, error) {
	samples := make([][]sample, len(sides))
	for range b.rounds {
		for i := range sides {
			s, err := b.once(&sides[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sides[i].name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

func (b *bench) once(d *side) (s sample, err error) {
	server, err := d.start()
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	s.counted = len(server.pids)
	spec := d.spec
	spec.Watch = server.pids
	if d.beside != 0 {
		spec.Watch = append(slices.Clone(server.pids), d.beside)
	}
	spec.Warmup, spec.Measure = cmp.Or(spec.Warmup, warmup), b.duration()
	end, err := b.profile(server)
	if err != nil {
		return s, err
	}
	s.Result, err = server.runLoadOn(spec)
	if err = errors.Join(err, end()); err != nil {
		return s, err
	}
	if err := b.check(d.name, s.Result); err != nil {
		return s, err
	}
	if d.open {
		spec.Rate, spec.Warmup = s.Rate()/2, warmup
		if s.open, err = server.runLoadOn(spec); err != nil {
			return s, err
		}
		err = b.check(d.name+" open", s.open)
	}
	return s, err
}

// check refuses a measurement in which something was lost, doubled or out of order.
func (b *bench) check(name string, r *load.Result) error {
	if b.verbose {
		fmt.Fprintf(os.Stderr, "%-16s %8.0f/s ", name, r.Rate())
		for _, u := range r.Used {
			fmt.Fprintf(os.Stderr, " | %.2f µs, %.3f reads, %.3f writes", micros(u.CPU, r), each(u.Reads, r), each(u.Writes, r))
		}
		fmt.Fprintf(os.Stderr, " | load %.2f µs | p50 %.3f p99 %.3f max %.1f ms\n", micros(r.OwnCPU, r), ms(r.P50), ms(r.P99), ms(r.Max))
		if r.Stalls.Max > 0 {
			fmt.Fprintf(os.Stderr, "%-16s one stalls: p50 %.3f p99 %.3f max %.1f ms, reads: p50 %.3f p99 %.3f max %.1f ms\n", "",
				ms(r.Stalls.P50), ms(r.Stalls.P99), ms(r.Stalls.Max), ms(r.Reads.P50), ms(r.Reads.P99), ms(r.Reads.Max))
		}
	}
	if r.Lost+r.Doubled+r.Reordered > 0 || r.Messages == 0 {
		return fmt.Errorf("void: %d frames lost, %d doubled, %d out of order of %d", r.Lost, r.Doubled, r.Reordered, r.Sent)
	}
	return nil
}

// profile profiles core and plugin until end is called, where that was asked for.
func (b *bench) profile(s *server) (end func() error, err error) {
	end = func() error { return nil }
	if len(s.pids) < 2 {
		return end, nil
	}
	if b.cpuProfile != "" {
		if err := s.ask("profile", nil); err != nil {
			return nil, err
		}
	}
	if b.pluginProfile != "" {
		if err := unix.Kill(s.pids[1], unix.SIGUSR1); err != nil {
			return nil, err
		}
	}
	return func() error {
		var errs []error
		if b.cpuProfile != "" {
			errs = append(errs, s.ask("profiled", nil))
		}
		if b.pluginProfile != "" {
			errs = append(errs, unix.Kill(s.pids[1], unix.SIGUSR2))
		}
		return errors.Join(errs...)
	}, nil
}

// spread is what several rounds gave: the median, and from where to where they lie.
type spread struct{ median, low, high float64 }

func spreadOf(values []float64) spread {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return spread{(v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]}
}

func (s spread) scaled(by float64) spread { return spread{s.median * by, s.low * by, s.high * by} }

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.median, s.low, s.high) }

// of is the spread of something of each sample.
func of(samples []sample, f func(sample) float64) spread {
	values := make([]float64, len(samples))
	for i := range samples {
		values[i] = f(samples[i])
	}
	return spreadOf(values)
}

// ratios is the spread of the quotients of what belongs together.
func ratios(a, b []sample, f func(sample) float64) spread {
	values := make([]float64, len(a))
	for i := range a {
		values[i] = f(a[i]) / f(b[i])
	}
	return spreadOf(values)
}

func rate(s sample) float64 { return s.Rate() }

// cpu is the processor time of all counted processes of a server, in µs a message.
func cpu(s sample) float64 {
	sum := time.Duration(0)
	for _, u := range s.Used[:s.counted] {
		sum += u.CPU
	}
	return micros(sum, s.Result)
}

func openP99(s sample) float64 { return ms(s.open.P99) }

func micros(d time.Duration, r *load.Result) float64 {
	return float64(d) / float64(time.Microsecond) / math.Max(float64(r.Messages), 1)
}

func each(n uint64, r *load.Result) float64 { return float64(n) / math.Max(float64(r.Messages), 1) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// thousands is a rate for people.
func thousands(perSecond float64) string { return fmt.Sprintf("%.1fk/s", perSecond/1000) }

// describe says what a side did, for the cell beside the ratio.
func describe(samples []sample) string {
	var text strings.Builder
	text.WriteString(thousands(of(samples, rate).median) + ", CPU ")
	for i := range samples[0].Used {
		format := " + %.2f"
		switch i {
		case 0:
			format = "%.2f"
		case samples[0].counted:
			format = " (+ %.2f in the back-end)"
		}
		fmt.Fprintf(&text, format, of(samples, func(s sample) float64 { return micros(s.Used[i].CPU, s.Result) }).median)
	}
	text.WriteString(" µs")
	if samples[0].open != nil {
		fmt.Fprintf(&text, ", p99 at half %.2f ms", of(samples, openP99).median)
	}
	return text.String()
}
