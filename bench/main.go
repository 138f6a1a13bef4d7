//go:build linux

// Command bench measures Bridge and prints a table of what came out beside what is aimed at. Bridge
// runs as it ships: a core with its listener, the plugin a process of its own, the clients another.
// What it is compared with runs in turns with it, so that ratios mean something on a machine where
// seconds do not.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// roles are what the binary can be besides the one that measures; it starts itself.
var roles = map[string]func(args []string) error{
	"core":               runCore,
	"plugin":             runPlugin,
	"baseline-gorilla":   runGorilla,
	"baseline-optimised": runOptimised,
	"backend":            runBackend,
	"load":               runLoad,
	"hold":               runHold,
	"lines":              runLines,
}

func main() {
	err := func() error {
		if len(os.Args) > 1 {
			if role, ok := roles[os.Args[1]]; ok {
				return role(os.Args[2:])
			}
		}
		return measure(os.Args[1:])
	}()
	var status exitError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &status):
		os.Exit(int(status))
	default:
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// exitError is the exit status of a role that has said all there is to say.
type exitError int

func (s exitError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// options are the flags.
type options struct {
	rounds        int
	seconds       float64
	cpuProfile    string
	pluginProfile string
	heapProfile   string
	against       string
	env           []string
	verbose       bool
}

func (o *options) duration() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

func measure(args []string) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("rows", "", "names of rows, or how they begin, separated by commas; all by default")
	flags.IntVar(&o.rounds, "rounds", 5, "how often each side of a row is measured")
	flags.Float64Var(&o.seconds, "seconds", 2, "how long a measurement takes")
	flags.StringVar(&o.cpuProfile, "cpuprofile", "", "write a profile of the core to this file, of the last measurement of it")
	flags.StringVar(&o.pluginProfile, "pluginprofile", "", "likewise of the plugin")
	flags.StringVar(&o.heapProfile, "heapprofile", "", "write what idle connections hold in the core to this file, in the plugin to this one with "+pluginSuffix)
	flags.StringVar(&o.against, "against", "", "compare rates with those of another build of this command, not with the baselines")
	flags.Func("env", "a variable for the core, as GOMAXPROCS=1; may be repeated", func(text string) error {
		o.env = append(o.env, text)
		return nil
	})
	flags.BoolVar(&o.verbose, "v", false, "print each measurement")
	var soaking soakFlag
	flags.Var(&soaking, "soak", "measure nothing, but run for so long (30m; 0: half a minute) under all that may happen, and see what rises")
	program := flags.String("bridge", "", "the bridge command for that; it is built otherwise")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: bench [flags]; rows are:")
		for _, r := range rows {
			fmt.Fprintf(flags.Output(), "  %-16s %s\n", r.name, r.what)
		}
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if soaking.set {
		return soakFor(soaking.d, *program)
	}
	b := &bench{options: o}
	fmt.Println("| row | what | measured | goal | stretch |\n| --- | --- | --- | --- | --- |")
	for _, r := range rows {
		if !selected(r.name, *only) {
			continue
		}
		m, err := r.run(b)
		if err != nil {
			return fmt.Errorf("row %s: %w", r.name, err)
		}
		fmt.Printf("| %s | %s | %s | %s | %s |\n", r.name, r.what, m, r.goal, r.stretch)
	}
	return nil
}

// selected says whether a row was asked for: by its name, by how it begins, or by asking for all.
func selected(name, only string) bool {
	if only == "" {
		return true
	}
	for part := range strings.SplitSeq(only, ",") {
		isRow := slices.ContainsFunc(rows, func(r row) bool { return r.name == part })
		if part == name || !isRow && strings.HasPrefix(name, part) {
			return true
		}
	}
	return false
}
