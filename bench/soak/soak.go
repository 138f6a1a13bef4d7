//go:build linux

// Package soak runs the bridge command for a long time, under clients that come, ask, idle, vanish and
// misbehave, while its plugins are killed and its configuration is changed; it says what of memory,
// goroutines and descriptors rises meanwhile, and fails when an answer was lost or came twice.
package soak

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Config says how.
type Config struct {
	Bridge string   // the program
	Lines  []string // the command of the plugin lines

	Warmup   time.Duration // load before the first figures are taken
	Duration time.Duration // load between these and the last
	Sessions int           // at least so many come and go, however long that takes
	Settle   time.Duration // from the end of load until figures are taken

	Steady, Churners                    int // sessions that stay; clients that come and go
	SampleEvery, KillEvery, ReloadEvery time.Duration

	Log func(format string, args ...any)
}

// Short is a soak of about half a minute, which tells what leaks with each session.
func Short() Config {
	return Config{
		Warmup: 5 * time.Second, Duration: 12 * time.Second, Sessions: 4000, Settle: 0, Steady: 40, Churners: 32,
		SampleEvery: 500 * time.Millisecond, KillEvery: 1500 * time.Millisecond, ReloadEvery: 2 * time.Second,
	}
}

// Long is one that takes so long, for figures.
func Long(d time.Duration) Config {
	return Config{
		Warmup: max(d/15, 90*time.Second), Duration: d, Settle: 65 * time.Second, Steady: 100, Churners: 12,
		SampleEvery: 5 * time.Second, KillEvery: 5 * time.Second, ReloadEvery: 7 * time.Second,
	}
}

// soak is one that runs.
type soak struct {
	cfg       Config
	dir       string
	certified bool
	backend   string // its address
	bridge    *bridge
	ledger    ledger
	web       *http.Client

	kills, reloads, came atomic.Int64
	asking               atomic.Int64 // connections to the back-end
}

// Run soaks. Its report is there also with an error that says what went wrong with clients; figures that
// rise are no error.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	s := &soak{cfg: cfg, web: &http.Client{Timeout: patience}}
	if s.dir, err = os.MkdirTemp("", "bridge-soak"); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.backend = ln.Addr().String()
	backend := &http.Server{Handler: &s.ledger, ReadHeaderTimeout: time.Minute, ConnState: s.backendConn}
	go func() { _ = backend.Serve(ln) }() // until it is closed
	defer backend.Close()
	if err := s.write(edit{frame: "64KiB", pool: 256}); err != nil {
		return nil, err
	}
	if s.bridge, err = startBridge(cfg.Bridge, s.dir); err != nil {
		return nil, err
	}
	report, err = s.measure(ctx)
	s.web.CloseIdleConnections()
	s.bridge.admin.CloseIdleConnections()
	err = errors.Join(err, s.bridge.stop())
	if n := s.ledger.faulty; n > 0 {
		err = errors.Join(err, fmt.Errorf("%d things went wrong, the first of them:\n%s", n, strings.Join(s.ledger.faults, "\n")))
	}
	if err != nil {
		return report, fmt.Errorf("%w\n(its files are in %s)", err, s.dir)
	}
	return report, os.RemoveAll(s.dir)
}

// backendConn counts the connections to the back-end: how many there are is the pool's to say, and
// nothing that leaks.
func (s *soak) backendConn(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.asking.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.asking.Add(-1)
	}
}

func (s *soak) measure(ctx context.Context) (*Report, error) {
	s.cfg.Log("load for %v, before the first figures", s.cfg.Warmup)
	warm, cancel := context.WithTimeout(ctx, s.cfg.Warmup)
	s.run(warm)
	cancel()
	r := &Report{cfg: s.cfg}
	var err error
	if r.before, err = s.settled(); err != nil {
		return nil, err
	}
	s.cfg.Log("at rest: %v", r.before)
	kills, reloads, came, questions := s.kills.Load(), s.reloads.Load(), s.came.Load(), s.questions()
	began := time.Now()

	load, cancel := context.WithCancel(ctx)
	defer cancel()
	sampled := make(chan error, 1)
	go func() {
		defer cancel()
		sampled <- s.sample(load, r, began, came)
	}()
	s.run(load)
	if err := <-sampled; err != nil {
		return nil, err
	}
	r.took = time.Since(began)
	r.kills, r.reloads, r.came, r.questions = s.kills.Load()-kills, s.reloads.Load()-reloads, s.came.Load()-came, s.questions()-questions
	if r.after, err = s.settled(); err != nil {
		return nil, err
	}
	s.cfg.Log("at rest: %v", r.after)
	return r, ctx.Err()
}

func (s *soak) questions() int64 {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return int64(s.ledger.answered.size())
}

// sample takes samples until the time is over and enough sessions have come.
func (s *soak) sample(ctx context.Context, r *Report, began time.Time, came int64) error {
	tick := time.NewTicker(s.cfg.SampleEvery)
	defer tick.Stop()
	for told := began; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		f, err := s.figures()
		if err != nil {
			return err
		}
		f.at = time.Since(began)
		r.samples = append(r.samples, f)
		if time.Since(told) > time.Minute {
			told = time.Now()
			s.cfg.Log("%v: %d sessions came and went: %v", f.at.Round(time.Second), s.came.Load()-came, f)
		}
		const late = 5
		enough := s.came.Load()-came >= int64(s.cfg.Sessions) || f.at >= late*s.cfg.Duration
		if f.at >= s.cfg.Duration && enough || s.ledger.failed() {
			return nil
		}
	}
}

// settled waits until nobody is there any more and the garbage is collected, and returns what is left.
func (s *soak) settled() (f figures, err error) {
	s.web.CloseIdleConnections()
	for deadline := time.Now().Add(patience); ; time.Sleep(pollEvery) {
		m, err := s.bridge.metrics()
		if err != nil {
			return f, err
		}
		sessions, connections := m.sum("bridge_sessions{"), m.sum("bridge_listen_connections{")
		if sessions == 0 && connections == 0 {
			break
		}
		if time.Now().After(deadline) {
			return f, fmt.Errorf("%v sessions and %v connections stay when all clients have left", sessions, connections)
		}
	}
	time.Sleep(s.cfg.Settle)
	// Looking at it is what allocates now, and so has the collector run; what pools hold goes with the
	// second time.
	const collections = 3
	first := -1.0
	for deadline := time.Now().Add(patience); ; {
		m, err := s.bridge.metrics()
		if err != nil {
			return f, err
		}
		if first < 0 {
			first = m["go_gc_duration_seconds_count"]
		}
		if m["go_gc_duration_seconds_count"] >= first+collections {
			break
		}
		if time.Now().After(deadline) {
			return f, errors.New("the collector does not run")
		}
	}
	return s.figures()
}
