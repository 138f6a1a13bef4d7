//go:build linux

package queue

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// killPlugin kills the plugin of a bridge, if it lives.
func killPlugin(b *harness.Bridge) {
	for _, pid := range b.Children() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may be dead already
	}
}

// A session that is bound while it consumes does not any more; what it had goes to others, in order. What the
// named actor consumes outlives its sessions, and the plugin.
func TestBoundWhileConsuming(t *testing.T) {
	b := harness.Start(t, harness.Config{File: jobs("")})
	p := dial(t, b)
	push(p, "a", 0, 20)
	one := dial(t, b)
	one.say("keep")
	one.expect("keeping")
	one.say("pop 8 a")
	one.expect("popped ok")
	one.expect(got("a", 1, 0, 8)...)
	one.say("bind room")
	one.expect("bound")
	two := dial(t, b)
	two.say("pop 16 a")
	two.expect("popped ok")
	two.expect(got("a", 2, 0, 8)...)
	two.expect(got("a", 1, 8, 20)...)
	two.say("unpop a")
	two.expect("unpopped ok")

	one.say("pop 8 a")
	one.expect("popped ok")
	push(p, "a", 20, 30)
	one.expect(got("a", 1, 20, 30)...)
	three := dial(t, b)
	three.say("bind room")
	three.expect("bound")
	killPlugin(b)
	_ = one.ws.Close()
	push(p, "a", 30, 40)
	seen := make(map[string]bool) // those that came when one was just about to end went to it
	for len(seen) == 0 || !seen["got a 1 39"] {
		line, err := three.hear()
		if err != nil {
			t.Fatal(err)
		}
		seen[line] = true
	}
	killPlugin(b)
	push(p, "a", 40, 50)
	three.expect(got("a", 1, 40, 50)...)
	_ = three.ws.Close() // the actor has no session any more, and lets go of its topic
	harness.Until(t, harness.AnswerLimit, "the actor has gone", func() bool {
		return strings.Contains(scrape(t, b), `bridge_sessions{plugin="jobs",route="jobs:public:/jobs"} 2`)
	})
	two.say("pop 8 a")
	two.expect("popped ok")
	push(p, "a", 50, 60)
	for i := 50; i < 60; { // the actor may have been given some of them before it let go
		line, err := two.hear()
		if number, bad := strconv.Atoi(field(line, 3)); err == nil && bad == nil && i == 50 && number >= 40 && number < 50 {
			continue // its connection ended before the core knew that it had this
		}
		if err != nil || field(line, 3) != strconv.Itoa(i) {
			t.Fatalf("got %q, %v, want %d", line, err, i)
		}
		i++
	}
}

// entries counts what consumers are given.
type entries struct {
	mu    sync.Mutex
	times map[string]int
}

// take reads what the client is given until its connection ends, and says how it did.
func (e *entries) take(c *client) error {
	for {
		line, err := c.hear()
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "got ") {
			e.mu.Lock()
			e.times[field(line, 3)]++
			e.mu.Unlock()
		}
	}
}

func (e *entries) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.times)
}

// once fails the test where something did not come, or not only once.
func (e *entries) once(t *testing.T, n int) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	var wrong []string
	for i := range n {
		if times := e.times[fmt.Sprint(i)]; times != 1 {
			wrong = append(wrong, fmt.Sprintf("%d %d times", i, times))
		}
	}
	if len(wrong) > 0 {
		t.Errorf("of %d came: %s", n, strings.Join(wrong, ", "))
	}
}

// While topics are consumed the configuration is reloaded, again and again, and a route goes with the consumers
// on it: each entry comes once, and those who stay are not disturbed.
func TestReloadWhileConsuming(t *testing.T) {
	const n = 1200
	base := jobs("")
	going := strings.Replace(base, "  route \"/jobs\" {", "  route \"/going\" {\n    auth = auth.none\n  }\n  route \"/jobs\" {", 1)
	b := harness.Start(t, harness.Config{File: going})
	all := &entries{times: make(map[string]int)}
	var wg sync.WaitGroup
	defer wg.Wait()
	consume := func(path string, want int) *client {
		ws, err := harness.Dial(b.URL(path))
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t, ws}
		c.say("pop 16 a")
		c.expect("popped ok")
		wg.Go(func() {
			err := all.take(c)
			if closed := new(websocket.CloseError); want != 0 && (!errors.As(err, &closed) || closed.Code != want) {
				t.Errorf("a consumer on %s ended with %v", path, err)
			}
			_ = ws.Close()
		})
		return c
	}
	stays := consume("/jobs", 0)
	defer stays.ws.Close()
	for range 3 {
		consume("/going", websocket.CloseServiceRestart)
	}
	p := dial(t, b)
	variants := []string{going, jobs("topic_size = 3000"), base, jobs("topic_size = 100000"), base, jobs("max_topics = 7")}
	for i, file := range variants {
		push(p, "a", i*n/len(variants), (i+1)*n/len(variants)-50)
		for j := range 50 {
			p.say("push a %d", (i+1)*n/len(variants)-50+j)
		}
		if said, ok := b.Reload(file); !ok {
			t.Fatalf("reload %d: %v", i, said)
		}
		for j := range 50 {
			p.expect(fmt.Sprintf("pushed %d ok", (i+1)*n/len(variants)-50+j))
		}
	}
	harness.Until(t, harness.AnswerLimit, "everything has come", func() bool { return all.count() == n })
	all.once(t, n)
	stays.say("unpop a")
}

// A bridge that is asked to end while deliveries are on their way says goodbye to its consumers behind what they
// were given; the rest waits, and nothing comes twice.
func TestDrainWhileConsuming(t *testing.T) {
	for _, mode := range []string{"always", "interval"} {
		t.Run(mode, func(t *testing.T) {
			n := map[string]int{"always": 600, "interval": 6000}[mode]
			cfg := harness.Config{Head: headAt(dataDir(t)), File: jobs(fmt.Sprintf("topic_size = %d\nsync = %q", n, mode))}
			b := harness.Start(t, cfg)
			p := dial(t, b)
			push(p, "a", 0, n)
			_ = p.ws.Close()
			all := &entries{times: make(map[string]int)}
			var wg sync.WaitGroup
			for _, window := range []int{1, 7, 32, 64} {
				c := dial(t, b)
				c.say("pop %d a", window)
				wg.Go(func() {
					err := all.take(c)
					if closed := new(websocket.CloseError); !errors.As(err, &closed) || closed.Code != websocket.CloseGoingAway {
						t.Errorf("a consumer ended with %v", err)
					}
				})
			}
			harness.Until(t, harness.AnswerLimit, "deliveries are on their way", func() bool { return all.count() > 20 })
			if status := b.Stop(); status != 0 {
				t.Errorf("exit status %d", status)
			}
			wg.Wait()
			before := all.count()
			b = harness.Start(t, cfg)
			c := dial(t, b)
			c.say("pop 256 a")
			wg.Go(func() { _ = all.take(c) })
			harness.Until(t, harness.AnswerLimit, "the rest has come", func() bool { return all.count() == n })
			c.say("keep")
			_ = c.ws.Close()
			wg.Wait()
			all.once(t, n)
			t.Logf("%d before the end", before)
		})
	}
}

// What clients push while the bridge drains is stored when it was confirmed.
func TestDrainWhilePushing(t *testing.T) {
	cfg := harness.Config{Head: headAt(dataDir(t)), File: jobs("topic_size = 100000")}
	b := harness.Start(t, cfg)
	var mu sync.Mutex
	confirmed := 0
	var wg sync.WaitGroup
	for who := range 4 {
		c := dial(t, b)
		wg.Go(func() {
			for i := 0; ; i++ {
				if harness.Send(c.ws, fmt.Sprintf("push a %d-%d", who, i)) != nil {
					return
				}
				line, err := c.hear()
				if err != nil {
					return
				}
				if strings.HasSuffix(line, " ok") {
					mu.Lock()
					confirmed++
					mu.Unlock()
				}
			}
		})
	}
	harness.Until(t, harness.AnswerLimit, "pushes are confirmed", func() bool { mu.Lock(); defer mu.Unlock(); return confirmed > 50 })
	if status := b.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	wg.Wait()
	b = harness.Start(t, cfg)
	c := dial(t, b)
	c.say("pop 256 a")
	c.expect("popped ok")
	var came []string
	for range confirmed {
		line, err := c.hear()
		if err != nil {
			t.Fatalf("%d of %d confirmed: %v", len(came), confirmed, err)
		}
		came = append(came, field(line, 3))
	}
	slices.Sort(came)
	if again := slices.Compact(slices.Clone(came)); len(again) != len(came) {
		t.Errorf("%d of %d came twice", len(came)-len(again), len(came))
	}
}

// A consumer that does not read is given no more than it may have, of entries that are large too, and is not
// closed; the others go on, and what it has not taken is theirs.
func TestConsumerDoesNotRead(t *testing.T) {
	const n = 40
	b := harness.Start(t, harness.Config{File: jobs(`sync = "interval"`)})
	large := func(i int) string { return fmt.Sprintf("%d-%s", i, strings.Repeat("x", 900<<10)) }
	slow := dial(t, b)
	slow.say("pop 256 a b c")
	p := dial(t, b)
	for i := range n {
		p.say("push %s %s", string("abc"[i%3]), large(i))
		if line, err := p.hear(); err != nil || !strings.HasSuffix(line, " ok") {
			t.Fatalf("push %d: %.40s %v", i, line, err)
		}
	}
	other := dial(t, b)
	other.say("pop 256 a b c")
	all := &entries{times: make(map[string]int)}
	hear := func(c *client) bool {
		line, err := c.hear()
		if err != nil {
			t.Fatal(err)
		}
		number, _, _ := strings.Cut(field(line, 3), "-")
		if strings.HasPrefix(line, "got ") {
			all.times[number]++
		}
		return line == "keeping"
	}
	for range 10 { // the slow one has some MiB in its socket, and two in its outbox
		hear(other)
	}
	for _, c := range []*client{slow, other} {
		c.say("keep")
		for kept := false; !kept; {
			kept = hear(c)
		}
	}
	for all.count() < n { // what came to either behind that
		next := dial(t, b)
		_, _ = slow.ws.Close(), other.ws.Close()
		next.say("pop 256 a b c")
		for all.count() < n {
			hear(next)
		}
	}
	all.once(t, n)
}
