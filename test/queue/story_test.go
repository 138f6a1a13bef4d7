//go:build linux

package queue

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

var long = flag.Bool("long", false, "push 100,000 entries in the stories about queues")

const (
	storyProducers = 8
	storyConsumers = 4
	storyPipeline  = 32 // pushes of a producer that are not answered
)

// plan is how much happens in a story, and how fast.
type plan struct {
	entries int
	over    time.Duration // in which they are pushed, on a machine that is fast enough
	every   time.Duration // between two kills
	rounds  int           // of kills, so that a slow machine comes to an end
	plugins int           // that are killed before a bridge is
}

func thePlan() plan {
	switch {
	case *long:
		return plan{100_000, time.Minute, time.Second, 63, 15}
	case testing.Short():
		return plan{400, time.Second, 300 * time.Millisecond, 3, 1}
	}
	return plan{3000, 6 * time.Second, 300 * time.Millisecond, 20, 6}
}

// story is clients that push and consume while all else ends and begins again.
type story struct {
	t      *testing.T
	topics []string
	bridge atomic.Pointer[harness.Bridge]
	plan

	mu        sync.Mutex
	confirmed int
	sent      map[string]int       // how often an entry was sent
	came      map[string][]arrival // where it came
	lives     int                  // how often the bridge was killed
	last      map[string]int       // of each producer, the number that came last
	disorder  int                  // entries that came after a later one, for the first time
}

// arrival is where an entry came: as which of its topic on that connection.
type arrival struct {
	on     *visit
	topic  string
	number int
}

// visit is one connection of a consumer.
type visit struct {
	window int
	life   int            // how often the bridge had been killed before
	got    map[string]int // entries by topic
}

func newStory(t *testing.T, topics ...string) *story {
	return &story{
		t: t, topics: topics, plan: thePlan(), sent: make(map[string]int),
		came: make(map[string][]arrival), last: make(map[string]int),
	}
}

// connect dials until somebody is there.
func (s *story) connect(ctx context.Context) *client {
	for ctx.Err() == nil {
		if b := s.bridge.Load(); b != nil {
			if ws, err := harness.Dial(b.URL("/jobs")); err == nil {
				return &client{s.t, ws}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// produce pushes n entries in order; what was not answered when a connection failed is sent again.
func (s *story) produce(ctx context.Context, who, n int) {
	topic := s.topics[who%len(s.topics)]
	var waiting []int // sent and not answered, in order
	next, begun := 0, time.Now()
	var c *client
	defer func() {
		if c != nil {
			_ = c.ws.Close()
		}
	}()
	for next < n || len(waiting) > 0 {
		if c == nil {
			if c = s.connect(ctx); c == nil {
				return
			}
			for _, i := range waiting {
				s.send(c, topic, who, i)
			}
		}
		for next < n && len(waiting) < storyPipeline {
			waiting = append(waiting, next)
			s.send(c, topic, who, next)
			next++
			time.Sleep(time.Until(begun.Add(s.over * time.Duration(next) / time.Duration(n))))
		}
		line, err := c.hear()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			_ = c.ws.Close()
			c = nil
		case line == fmt.Sprintf("pushed %d-%d ok", who, waiting[0]):
			waiting = waiting[1:]
			s.mu.Lock()
			s.confirmed++
			s.mu.Unlock()
		case field(line, 2) == "denied", field(line, 2) == "unavailable":
			time.Sleep(10 * time.Millisecond) // a topic that is full empties
			_ = c.ws.Close()
			c = nil
		default:
			s.t.Errorf("producer %d heard %q, waiting for %d", who, line, waiting[0])
			return
		}
	}
}

func (s *story) send(c *client, topic string, who, i int) {
	s.mu.Lock()
	s.sent[fmt.Sprintf("%d-%d", who, i)]++
	s.mu.Unlock()
	_ = harness.Send(c.ws, fmt.Sprintf("push %s %d-%d", topic, who, i)) // reading says so
}

// consume takes entries until the story is over. It goes and comes back every now and then.
func (s *story) consume(ctx context.Context, stays bool) {
	for ctx.Err() == nil {
		s.mu.Lock()
		v := &visit{1 + rand.IntN(64), s.lives, make(map[string]int)}
		s.mu.Unlock()
		c := s.connect(ctx)
		if c == nil {
			return
		}
		s.visit(ctx, c, v, stays)
		_ = c.ws.Close()
	}
}

func (s *story) visit(ctx context.Context, c *client, v *visit, stays bool) {
	if harness.Send(c.ws, fmt.Sprintf("pop %d %s", v.window, strings.Join(s.topics, " "))) != nil {
		return
	}
	seen, leave := 0, rand.IntN(2000)
	stop := context.AfterFunc(ctx, func() { _ = c.ws.SetReadDeadline(time.Now()) })
	defer stop()
	for {
		line, err := c.hear()
		switch {
		case err != nil, line == "unpopped ok", strings.HasPrefix(line, "popped unavailable"):
			return
		case line == "popped ok":
		case strings.HasPrefix(line, "got "):
			s.took(v, field(line, 1), field(line, 3))
			if seen++; seen == leave && !stays && harness.Send(c.ws, "unpop "+strings.Join(s.topics, " ")) != nil {
				return
			}
		default:
			s.t.Errorf("a consumer heard %q", line)
			return
		}
	}
}

// took notes an entry that came.
func (s *story) took(v *visit, topic, entry string) {
	who, number, _ := strings.Cut(entry, "-")
	i, _ := strconv.Atoi(number)
	s.mu.Lock()
	defer s.mu.Unlock()
	v.got[topic]++
	s.came[entry] = append(s.came[entry], arrival{v, topic, v.got[topic]})
	if len(s.came[entry]) > 1 {
		return
	}
	if last, ok := s.last[who]; ok && i < last {
		s.disorder++
	}
	s.last[who] = max(s.last[who], i)
}

// repeated is how often an entry came that may come again: the bridge was killed, and it was one of the last
// on its connection, which the store had not confirmed to be settled. No more than the window are.
func repeated(list []arrival) int {
	n := 0
	for _, a := range list {
		killed := slices.ContainsFunc(list, func(b arrival) bool { return b.on.life > a.on.life })
		if killed && a.number > a.on.got[a.topic]-a.on.window {
			n++
		}
	}
	return n
}

func (s *story) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.confirmed == s.entries && len(s.came) == s.entries
}

// play has producers and consumers at work until everything has come, while each does.
func (s *story) play(consumers int, each func(round int)) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	for who := range storyProducers {
		wg.Go(func() { s.produce(ctx, who, s.entries/storyProducers) })
	}
	for range consumers {
		wg.Go(func() { s.consume(ctx, consumers == 1) })
	}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	begun := time.Now()
	for round := 0; !s.done() && time.Since(begun) < storyLimit; round++ {
		<-tick.C
		if round < s.rounds {
			each(round)
		}
	}
	time.Sleep(200 * time.Millisecond) // for what comes twice
	cancel()
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	again, kills := 0, 0
	for entry, list := range s.came {
		if len(list) == 1 {
			continue
		}
		again++
		n := repeated(list)
		kills += n
		// It may also have been pushed again, as nobody knew what became of the first push.
		if len(list) > s.sent[entry]+n {
			s.t.Errorf("%s came %d times, and was sent %d times:", entry, len(list), s.sent[entry])
			for _, a := range list {
				s.t.Errorf("  in life %d as %d of %d, with a window of %d", a.on.life, a.number, a.on.got[a.topic], a.on.window)
			}
		}
	}
	s.t.Logf("%d confirmed, %d came, %d of these more than once, %d times as the bridge had been killed %d times; %d in disorder, in %v",
		s.confirmed, len(s.came), again, kills, s.lives, s.disorder, time.Since(begun).Round(time.Millisecond))
	if s.confirmed != s.entries || len(s.came) != s.entries {
		s.t.Errorf("%d confirmed and %d came, want %d", s.confirmed, len(s.came), s.entries)
	}
}

// storyLimit is for a machine that does nearly nothing.
const storyLimit = 5 * time.Minute

// Whoever kills the plugin, again and again, loses no entry and sends none twice; with one consumer all of a
// producer's come in order.
func TestStoryOfOneConsumer(t *testing.T) {
	b := harness.Start(t, harness.Config{File: jobs("topic_size = 200000\n sync = \"interval\"")})
	s := newStory(t, "orders")
	s.bridge.Store(b)
	s.play(1, func(int) { killPlugin(s.bridge.Load()) })
	if s.disorder > 0 {
		t.Errorf("%d entries came in disorder", s.disorder)
	}
	for entry, list := range s.came {
		if len(list) != 1 {
			t.Errorf("%s came %d times", entry, len(list))
		}
	}
}

// The same with consumers that come and go and a bridge that is killed too: what was confirmed comes, and
// twice only what was written and not yet settled when the bridge was killed.
func TestStoryOfDeaths(t *testing.T) {
	dir := dataDir(t)
	cfg := harness.Config{Head: headAt(dir), File: jobs("topic_size = 20000")}
	s := newStory(t, "orders", "mails", "a/ü.*")
	s.bridge.Store(harness.Start(t, cfg))
	s.play(storyConsumers, func(round int) {
		if round%(s.plugins+1) != s.plugins {
			killPlugin(s.bridge.Load())
			return
		}
		b := s.bridge.Swap(nil)
		s.mu.Lock()
		s.lives++
		s.mu.Unlock()
		b.Kill()
		s.bridge.Store(harness.Start(t, cfg))
	})
}
