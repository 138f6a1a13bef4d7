//go:build linux

package test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// orderClients is how many clients each part of the story has.
const orderClients = 10

// State counts each frame once, a channel's messages reach each member once and in order, and each
// request is answered, however often the plugin is killed meanwhile.
func TestKillKeepsStateAndOrder(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	stop := make(chan struct{})
	var running sync.WaitGroup
	tell := func(what string, f func(stop <-chan struct{}) (int, error)) {
		running.Go(func() {
			n, err := f(stop)
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if n == 0 {
				t.Errorf("%s: nothing was done", what)
			}
			t.Logf("%s: %d", what, n)
		})
	}
	sessions := dialAll(t, b)
	tell("frames counted by sessions", func(stop <-chan struct{}) (int, error) { return countAlone(sessions, stop) })
	bound := dialAll(t, b)
	tell("frames counted by a named actor", func(stop <-chan struct{}) (int, error) { return countTogether(bound, stop) })
	members, publisher := dialAll(t, b), harness.MustDialLines(t, b.URL("/lines"))
	tell("messages published", func(stop <-chan struct{}) (int, error) { return fanOut(publisher, members, stop) })
	tell("requests answered", func(stop <-chan struct{}) (int, error) { return requests("http://"+b.Address()+"/lines", stop) })

	every := time.NewTicker(killEvery)
	defer every.Stop()
	for end := time.Now().Add(size(5*time.Second, time.Second)); time.Now().Before(end); {
		<-every.C
		for _, pid := range b.Children() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may just have gone
		}
	}
	close(stop)
	running.Wait()
	p := b.Plugin("lines")
	t.Logf("%d restarts", p.Restarts)
	if p.Restarts == 0 {
		t.Error("no process was ever replaced: the story did not take place")
	}
}

func dialAll(t *testing.T, b *harness.Bridge) []*harness.Lines {
	t.Helper()
	all := make([]*harness.Lines, orderClients)
	for i := range all {
		all[i] = harness.MustDialLines(t, b.URL("/lines"))
	}
	return all
}

// each calls f for all clients side by side until they are stopped, and returns how many lines they
// sent.
func each(all []*harness.Lines, stop <-chan struct{}, f func(l *harness.Lines, n int) error) (int, error) {
	var running sync.WaitGroup
	counts, errs := make([]int, len(all)), make([]error, len(all))
	for i, l := range all {
		running.Go(func() {
			for stopped := false; !stopped && errs[i] == nil; {
				select {
				case <-stop:
					stopped = true
				default:
					counts[i]++
					errs[i] = f(l, counts[i])
				}
			}
		})
	}
	running.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, errors.Join(errs...)
}

// pipelined is how many lines a client sends before it reads what they are answered.
const pipelined = 8

// countAlone has each session count its own frames.
func countAlone(all []*harness.Lines, stop <-chan struct{}) (int, error) {
	return each(all, stop, func(l *harness.Lines, round int) error {
		for range pipelined {
			if err := l.Send("COUNT"); err != nil {
				return err
			}
		}
		for i := range pipelined {
			want := fmt.Sprint((round-1)*pipelined + i + 1)
			if got, err := l.Read(harness.AnswerLimit); got != want || err != nil {
				return fmt.Errorf("count %q, error %w, want %q", got, err, want)
			}
		}
		return nil
	})
}

// countTogether has a named actor count the frames of all sessions: each number goes to one of them.
func countTogether(all []*harness.Lines, stop <-chan struct{}) (int, error) {
	for _, l := range all {
		if got, err := l.Ask("BIND room"); got != "room bound" || err != nil {
			return 0, fmt.Errorf("BIND: %q, error %w", got, err)
		}
	}
	var mu sync.Mutex
	var numbers []int
	_, err := each(all, stop, func(l *harness.Lines, _ int) error {
		for range pipelined {
			if err := l.Send("anything"); err != nil {
				return err
			}
		}
		for range pipelined {
			got, err := l.Read(harness.AnswerLimit)
			if err != nil {
				return err
			}
			var n int
			if _, err := fmt.Sscanf(got, "room %d", &n); err != nil {
				return fmt.Errorf("%q: %w", got, err)
			}
			mu.Lock()
			numbers = append(numbers, n)
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return len(numbers), err
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			return len(numbers), fmt.Errorf("number %d of the room in place of %d", n, i+1)
		}
	}
	return len(numbers), nil
}

// fanOut publishes numbered messages that all members must get in order.
func fanOut(publisher *harness.Lines, members []*harness.Lines, stop <-chan struct{}) (int, error) {
	for _, l := range members {
		if got, err := l.Ask("SUB news"); got != "OK" || err != nil {
			return 0, fmt.Errorf("SUB: %q, error %w", got, err)
		}
	}
	return each([]*harness.Lines{publisher}, stop, func(_ *harness.Lines, round int) error {
		for i := range pipelined {
			if err := publisher.Send(fmt.Sprintf("PUB news %d", round*pipelined+i)); err != nil {
				return err
			}
		}
		for i := range pipelined {
			want := fmt.Sprintf("news %d", round*pipelined+i)
			for m, l := range members {
				if got, err := l.Read(harness.AnswerLimit); got != want || err != nil {
					return fmt.Errorf("member %d got %q, error %w, want %q", m, got, err, want)
				}
			}
		}
		return nil
	})
}

// requests are plain ones, each on a connection of its own or one that was used before.
func requests(url string, stop <-chan struct{}) (int, error) {
	client := &http.Client{Timeout: harness.AnswerLimit, Transport: &http.Transport{MaxIdleConnsPerHost: orderClients}}
	defer client.CloseIdleConnections()
	return each(make([]*harness.Lines, orderClients), stop, func(_ *harness.Lines, n int) error {
		body := fmt.Sprintf("request %d", n)
		resp, err := client.Post(url, "text/plain", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if want := "POST /lines " + body; string(got) != want || resp.StatusCode != http.StatusOK || err != nil {
			return fmt.Errorf("status %d, body %q, error %w, want %q", resp.StatusCode, got, err, want)
		}
		return nil
	})
}
