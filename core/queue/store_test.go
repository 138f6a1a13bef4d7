package queue

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func start(t testing.TB, dir, sync string, cfg Config) *node {
	t.Helper()
	n, err := startNode(dir, sync, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n.broker == nil {
			return
		}
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// end stops a node before its test ends.
func (n *node) end(t testing.TB) {
	t.Helper()
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	n.broker = nil
}

func pushed(t testing.TB, v *View, topic, id string, data string) error {
	t.Helper()
	done := make(chan error, 1)
	v.Push(topic, id, []byte(data), func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(15 * time.Second):
		t.Fatalf("nobody says how push %s ended", id)
		return nil
	}
}

func mustPush(t testing.TB, v *View, topic string, from, to int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := from; i < to; i++ {
		wg.Add(1)
		v.Push(topic, fmt.Sprint(topic, i), fmt.Appendf(nil, "%d", i), func(err error) {
			if err != nil {
				t.Errorf("push %d: %v", i, err)
			}
			wg.Done()
		})
	}
	wg.Wait()
}

// taker is a consumer that keeps what it is given.
type taker struct {
	*Consumption
	mu   sync.Mutex
	has  []*Entry
	news chan struct{}
}

func take(v *View, topic string, window int, each func(*Entry)) *taker {
	k := &taker{news: make(chan struct{}, 1)}
	k.Consumption = v.Consume(1, topic, window, func(e *Entry) {
		k.mu.Lock()
		k.has = append(k.has, e)
		k.mu.Unlock()
		if each != nil {
			each(e)
		}
		select {
		case k.news <- struct{}{}:
		default:
		}
	})
	return k
}

func (k *taker) entries() []*Entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.has)
}

// await waits for so many entries in all, and returns their texts.
func (k *taker) await(t testing.TB, n int) []string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		has := k.entries()
		if len(has) >= n {
			texts := make([]string, len(has))
			for i, e := range has {
				texts[i] = string(e.Data)
			}
			return texts
		}
		select {
		case <-k.news:
		case <-time.After(10 * time.Millisecond):
		case <-late:
			t.Fatalf("%d entries, want %d", len(has), n)
		}
	}
}

func numbers(from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\ngot  %v\nwant %v", what, got, want)
	}
}

func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func depth(t testing.TB, n *node, topic string) int {
	t.Helper()
	list, err := n.list(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if x.Name == topic {
			return int(x.Depth)
		}
	}
	return -1
}

// Each name of a topic is one token of a subject and one name of a stream, and comes back from it.
func TestNames(t *testing.T) {
	streams := make(map[string]string)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z./*>_\\A-Z-]{1,250}`), rapid.SampledFrom([]string{"ä/ö.*>", "a_2E", "a.", "__", strings.Repeat("é", 127)})).Draw(t, "name")
		if !validTopic(name) {
			return
		}
		tok := token(name)
		if strings.ContainsAny(tok, " .*>/\\") {
			t.Errorf("token %q", tok)
		}
		if back, ok := fromToken(tok); !ok || back != name {
			t.Errorf("%q comes back from %q as %q", name, tok, back)
		}
		stream := streamOf(tok)
		if other, ok := streams[stream]; ok && other != name || len(stream) > 250 {
			t.Errorf("stream %q of %q and %q", stream, name, other)
		}
		streams[stream] = name
	})
	for _, bad := range []string{"_", "_4", "_zz", "a.b", "_61", "_2e", ""} {
		if name, ok := fromToken(bad); ok {
			t.Errorf("token %q is of %q", bad, name)
		}
	}
}

func TestRefusals(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{})
	v := n.With(Options{Size: 3, MaxTopics: 2})
	mustPush(t, v, "a", 0, 3)
	for _, c := range []struct {
		topic, id, data string
		want            error
	}{
		{"a", "more", "x", ErrFull},
		{"a", "a1", "again", nil}, // it is stored already
		{"b.*>/ü", "1", "", nil},
		{"c", "1", "x", ErrTooManyTopics},
		{"$c", "1", "x", ErrNotTopic},
		{"a b", "1", "x", ErrNotTopic},
		{"", "1", "x", ErrNotTopic},
		{"b.*>/ü", "2", strings.Repeat("x", 8<<20), ErrTooLarge},
	} {
		if err := pushed(t, v, c.topic, c.id, c.data); !errors.Is(err, c.want) {
			t.Errorf("%q %q: %v, want %v", c.topic, c.id, err, c.want)
		}
	}
	if got := depth(t, n, "a"); got != 3 {
		t.Errorf("%d entries", got)
	}
	opened := make(chan error, 1)
	v.Open([]string{"a", "c"}, func(err error) { opened <- err })
	if err := <-opened; !errors.Is(err, ErrTooManyTopics) {
		t.Errorf("open: %v", err)
	}
	// One is made only to be taken away, as the other may not be.
	wider := n.With(Options{Size: 3, MaxTopics: 3})
	wider.Open([]string{"c", "d"}, func(err error) { opened <- err })
	if err := <-opened; !errors.Is(err, ErrTooManyTopics) {
		t.Errorf("open two: %v", err)
	}
	within(t, "only two topics are there", func() bool {
		list, err := n.list(t.Context())
		return err == nil && len(list) == 2
	})
	if err := pushed(t, wider, "d", "1", "x"); err != nil {
		t.Errorf("in place of it: %v", err)
	}
	k := take(v, "a", 1, func(e *Entry) { e.Settle() })
	equal(t, "entries", k.await(t, 3), numbers(0, 3))
	within(t, "settled", func() bool { return depth(t, n, "a") == 0 })
	if err := pushed(t, v, "a", "more", "x"); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}

// A topic that nobody used for as long as an entry may wait makes room for another.
func TestUnusedTopicsGo(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{})
	v := n.With(Options{MaxTopics: 1, TTL: 300 * time.Millisecond})
	mustPush(t, v, "a", 0, 1)
	if err := pushed(t, v, "b", "1", "x"); !errors.Is(err, ErrTooManyTopics) {
		t.Errorf("at once: %v", err)
	}
	within(t, "there is room", func() bool { return pushed(t, v, "b", "1", "x") == nil })
	if got := depth(t, n, "a"); got != -1 {
		t.Errorf("the old one has %d entries", got)
	}
}

// Entries wait in their order over a restart, and come to one consumer in that order, at most as many as
// its window.
func TestOrderAndWindow(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir, "always", Config{})
	mustPush(t, n.With(Options{}), "a", 0, 300)
	n.end(t)
	n = start(t, dir, "always", Config{})
	v := n.With(Options{})
	k := take(v, "a", 7, nil)
	equal(t, "the first", k.await(t, 7), numbers(0, 7))
	time.Sleep(50 * time.Millisecond)
	if got := len(k.entries()); got != 7 {
		t.Errorf("%d entries in a window of 7", got)
	}
	k.entries()[2].Settle()
	equal(t, "one more", k.await(t, 8), numbers(0, 8))
	k.SetWindow(20)
	equal(t, "a larger window", k.await(t, 21), numbers(0, 21))
	for i := range 300 {
		k.await(t, i+1)
		k.entries()[i].Settle()
		k.entries()[i].GiveBack() // the first counts
	}
	equal(t, "all", k.await(t, 300), numbers(0, 300))
	within(t, "nothing is left", func() bool { return depth(t, n, "a") == 0 })
}

// What a consumer has not settled when it ends comes to the next at once, in order, before what is behind it.
func TestStopGivesBack(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{})
	v := n.With(Options{})
	mustPush(t, v, "a", 0, 100)
	next := 0
	for round := range 10 {
		k := take(v, "a", 16, nil)
		k.await(t, 16)
		has := k.entries()
		for i, e := range has[:16] {
			if got := string(e.Data); got != strconv.Itoa(next+i) {
				t.Fatalf("round %d: entry %d is %s, want %d", round, i, got, next+i)
			}
		}
		if round > 0 && has[0].Attempt < 2 {
			t.Errorf("attempt %d", has[0].Attempt)
		}
		if !has[15].Sending() {
			t.Error("an entry is not its consumer's")
		}
		for i := range 8 {
			has[i].Settle()
		}
		k.Stop()
		k.Stop()
		has[15].GiveBack() // its frame could not be written
		if has[14].Sending() {
			t.Error("an entry that went back can be sent")
		}
		next += 8
	}
	k := take(v, "a", 256, func(e *Entry) { e.Settle() })
	equal(t, "the rest", k.await(t, 20), numbers(80, 100))
}

// An entry that is being sent when its consumer stops is settled by that.
func TestSendingOutlivesStop(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{AckWait: 300 * time.Millisecond})
	v := n.With(Options{})
	mustPush(t, v, "a", 0, 2)
	k := take(v, "a", 2, nil)
	k.await(t, 2)
	if !k.entries()[0].Sending() {
		t.Fatal("it is not the consumer's")
	}
	k.Stop()
	next := take(v, "a", 2, nil)
	equal(t, "what went back", next.await(t, 1), numbers(1, 2))
	time.Sleep(time.Second) // several times the ack wait
	k.entries()[0].Settle()
	next.entries()[0].Settle()
	within(t, "nothing is left", func() bool { return depth(t, n, "a") == 0 })
	equal(t, "nothing else came", next.await(t, 1), numbers(1, 2))
}

// What nobody settles goes back after the ack wait once it is let go of, and not before.
func TestLetGo(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{AckWait: 300 * time.Millisecond})
	v := n.With(Options{})
	mustPush(t, v, "a", 0, 2)
	var late sync.Map
	k := take(v, "a", 2, nil)
	k.await(t, 2)
	time.Sleep(time.Second)
	if got := len(k.entries()); got != 2 {
		t.Fatalf("%d entries while it has them", got)
	}
	k.entries()[1].LetGo(func() { late.Store("1", true) })
	equal(t, "again", k.await(t, 3), []string{"0", "1", "1"})
	if _, ok := late.Load("1"); !ok || k.entries()[2].Attempt != 2 || k.entries()[1].Sending() {
		t.Error("it is not told that it goes back")
	}
}

// Consumers compete: each entry is settled once, whoever comes and goes, and by one consumer after another
// in order.
func TestModel(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{})
	topics := 0
	rapid.Check(t, func(t *rapid.T) {
		topics++
		topic := fmt.Sprint("t", topics)
		v := n.With(Options{Size: 40, MaxTopics: 1 << 20})
		var mu sync.Mutex
		settled := make(map[string]int)
		confirmed := make(map[string]bool)
		refused, waiting := 0, 0
		var takers []*taker
		number := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(t, "n") {
					text := strconv.Itoa(number)
					number++
					waiting++
					v.Push(topic, text, []byte(text), func(err error) {
						mu.Lock()
						defer mu.Unlock()
						waiting--
						switch {
						case err == nil:
							confirmed[text] = true
						case errors.Is(err, ErrFull):
							refused++
						default:
							t.Errorf("push %s: %v", text, err)
						}
					})
				}
			},
			"consume": func(t *rapid.T) {
				if len(takers) == 4 {
					t.Skip("enough")
				}
				settles := rapid.SliceOfN(rapid.Bool(), 5, 5).Draw(t, "settles")
				i := 0
				takers = append(takers, take(v, topic, rapid.IntRange(1, 40).Draw(t, "window"), func(e *Entry) {
					i++
					if !settles[i%5] || !e.Sending() {
						return
					}
					mu.Lock()
					settled[string(e.Data)]++
					mu.Unlock()
					e.Settle()
				}))
			},
			"stop": func(t *rapid.T) {
				if len(takers) == 0 {
					t.Skip("none")
				}
				i := rapid.IntRange(0, len(takers)-1).Draw(t, "which")
				takers[i].Stop()
				takers = slices.Delete(takers, i, i+1)
			},
		})
		for _, k := range takers {
			k.Stop()
		}
		var left []string
		last := take(v, topic, 256, func(e *Entry) {
			if e.Sending() {
				mu.Lock()
				settled[string(e.Data)]++
				left = append(left, string(e.Data))
				mu.Unlock()
				e.Settle()
			}
		})
		defer last.Stop()
		end := time.Now().Add(20 * time.Second)
		for done := false; !done; time.Sleep(time.Millisecond) {
			mu.Lock()
			done = waiting == 0 && len(settled) == len(confirmed)
			if time.Now().After(end) {
				t.Fatalf("%d of %d entries settled, %d pushes not answered", len(settled), len(confirmed), waiting)
			}
			mu.Unlock()
		}
		mu.Lock()
		defer mu.Unlock()
		for text, times := range settled {
			if times != 1 || !confirmed[text] {
				t.Errorf("entry %s, confirmed %v, was settled %d times", text, confirmed[text], times)
			}
		}
		if !slices.IsSortedFunc(left, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y }) {
			t.Errorf("the last consumer was given %v", left)
		}
		if len(confirmed)+refused != number {
			t.Errorf("%d confirmed and %d refused of %d", len(confirmed), refused, number)
		}
	})
}

// What consumers had when their process ended comes first and in order to those of the next, at once.
func TestReclaim(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir, "interval", Config{})
	v := n.With(Options{})
	mustPush(t, v, "a", 0, 30)
	k := take(v, "a", 20, nil)
	k.await(t, 20)
	for i := 0; i < 20; i += 2 {
		k.entries()[i].Settle()
	}
	k.await(t, 30)
	for _, e := range k.entries() {
		e.Sending() // its end gives nothing back
	}
	within(t, "ten are settled", func() bool { return depth(t, n, "a") == 20 })
	n.end(t)
	n = start(t, dir, "interval", Config{Alone: true})
	next := take(n.With(Options{}), "a", 30, func(e *Entry) { e.Settle() })
	var want []string
	for i := 1; i < 20; i += 2 {
		want = append(want, strconv.Itoa(i))
	}
	began := time.Now()
	equal(t, "entries", next.await(t, 20), append(want, numbers(20, 30)...))
	if has := next.entries(); has[0].Attempt != 2 || time.Since(began) > 20*time.Second {
		t.Errorf("attempt %d after %v", has[0].Attempt, time.Since(began))
	}
}

// What is asked for may be as large as what comes, to the byte: more is asked for then.
func TestExactShare(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{})
	v := n.With(Options{})
	mustPush(t, v, "p", 0, 1)
	probe := take(v, "p", 1, nil)
	probe.await(t, 1)
	e := probe.entries()[0]
	beside := len(e.by.topic.subject) + len(e.reply) + len("NATS/1.0\r\nNats-Msg-Id: p0\r\n\r\n")
	e.Settle()
	probe.Stop()
	within(t, "the allowance is whole", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.allowances) == 0
	})
	const exactly = 8 // are a question's share
	data := strings.Repeat("x", allowed/4/exactly-beside)
	for i := range exactly + 1 {
		if err := pushed(t, v, "a", fmt.Sprint("a", i), data); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	k := take(v, "a", 256, nil)
	k.await(t, exactly+1)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("they come after %v", took)
	}
}

// A consumer has a bounded number of bytes of all its topics, and is given all of them all the same, in order,
// large and small.
func TestAllowance(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{})
	v := n.With(Options{Size: 1000})
	const topics, each, large = 20, 40, 3 << 20
	for i := range topics {
		for j := range each {
			size := 32 << 10
			if i%5 == 0 && j%20 == 7 {
				size = large
			}
			data := make([]byte, size)
			copy(data, fmt.Sprint(j))
			if err := pushed(t, v, fmt.Sprint(i), fmt.Sprint(i, " ", j), string(data)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var mu sync.Mutex
	has, most, number := 0, 0, make(map[string]int)
	given := make(chan *Entry, topics*each)
	for i := range topics {
		v.Consume(7, fmt.Sprint(i), 256, func(e *Entry) {
			mu.Lock()
			defer mu.Unlock()
			has += len(e.Data)
			most = max(most, has)
			if text := strings.TrimRight(string(e.Data), "\x00"); text != strconv.Itoa(number[e.by.topic.name]) {
				t.Errorf("topic %d: %s after %d", i, text, number[e.by.topic.name])
			}
			number[e.by.topic.name]++
			given <- e
		})
	}
	for left := topics * each; left > 0; { // nothing is settled until nothing comes
		select {
		case e := <-given:
			given <- e
			time.Sleep(50 * time.Millisecond)
		case <-time.After(20 * time.Second):
			t.Fatalf("%d entries do not come", left)
		}
		for range len(given) {
			e := <-given
			mu.Lock()
			has -= len(e.Data)
			mu.Unlock()
			e.Settle()
			left--
		}
	}
	if bound := allowed + topics*smallShare + large; most > bound || most < allowed/2 {
		t.Errorf("up to %d bytes, %d are allowed", most, bound)
	}
	if len(n.allowances) != 1 {
		t.Errorf("%d allowances", len(n.allowances))
	}
	for _, x := range n.all() {
		for _, c := range x.all() {
			c.Stop()
		}
	}
	within(t, "the allowance is gone, whole", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.allowances) == 0
	})
}
