//go:build linux

package mesh

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

var long = flag.Bool("long", false, "100,000 messages in the stories of end users and consumers")

const (
	storyUsers     = 10
	storyConsumers = 4
	storyAhead     = 48 // frames of an end user that have not come
)

func storySize() int {
	switch {
	case *long:
		return 100_000
	case testing.Short():
		return 2000
	}
	return 5000
}

// story is end users who send numbered frames and back-ends that consume and answer them, while all else ends
// and begins again.
type story struct {
	t      *testing.T
	each   int // frames of an end user
	bridge atomic.Pointer[harness.Bridge]

	mu       sync.Mutex // guards what follows
	come     *sync.Cond
	sent     map[string]int // how often a frame was sent
	got      map[string]int // how often it came
	next     []int          // of each end user, the number of the first frame that has not come
	life     map[string]int // of the bridge, in which a frame came last
	lives    int
	excused  map[string]bool // was on a connection that failed, or came again after the bridge was killed
	disorder int             // frames that came behind a later one of the same end user
	answers  int
}

func newStory(t *testing.T, want int) *story {
	s := &story{
		t: t, each: want / storyUsers, sent: make(map[string]int), got: make(map[string]int),
		next: make([]int, storyUsers), life: make(map[string]int), excused: make(map[string]bool),
	}
	s.come = sync.NewCond(&s.mu)
	return s
}

func frameName(who, i int) string { return fmt.Sprintf("%d-%d", who, i) }

// connect dials until somebody is there, or the story is over: nil.
func (s *story) connect(ctx context.Context, path string) (ws *websocket.Conn) {
	harness.Eventually(limit, func() bool {
		if b := s.bridge.Load(); b != nil {
			ws, _ = harness.Dial(b.URL(path)) // it is tried again
		}
		return ws != nil || ctx.Err() != nil
	})
	return ws
}

// user sends frames in order. What has not come when a connection fails is sent again.
func (s *story) user(ctx context.Context, who int) {
	for ctx.Err() == nil && s.upTo(who) < s.each {
		ws := s.connect(ctx, "/chat")
		if ws == nil {
			return
		}
		var failed atomic.Bool
		read := make(chan struct{})
		go func() { // answers, until it fails
			defer close(read)
			for {
				_, text, err := ws.ReadMessage()
				if err != nil {
					failed.Store(true)
					s.come.Broadcast()
					return
				}
				if !strings.HasPrefix(string(text), fmt.Sprintf("got %d-", who)) {
					s.t.Errorf("end user %d got %s", who, text)
				}
				s.mu.Lock()
				s.answers++
				s.mu.Unlock()
			}
		}()
		stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
		for i := s.upTo(who); i < s.each && s.await(who, i-storyAhead, &failed); i++ {
			s.mu.Lock()
			s.sent[frameName(who, i)]++
			s.mu.Unlock()
			if harness.Send(ws, frameName(who, i)) != nil {
				break
			}
		}
		s.await(who, s.each-1, &failed)
		stop()
		_ = ws.Close()
		<-read
	}
}

// upTo is the number of the first frame of an end user that has not come.
func (s *story) upTo(who int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next[who]
}

// await waits until a frame and those before it have come; false when the connection failed before.
func (s *story) await(who, i int, failed *atomic.Bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.next[who] <= i && !failed.Load() {
		s.come.Wait()
	}
	return !failed.Load()
}

// consume consumes until the story is over. Unless it stays it goes and comes back every now and then.
func (s *story) consume(ctx context.Context, stays bool) {
	for ctx.Err() == nil {
		if ws := s.connect(ctx, "/ws/v1"); ws != nil {
			s.visit(ctx, ws, stays)
			_ = ws.Close()
		}
	}
}

// visit is one connection of a consumer, which answers what it gets. It leaves in order, or breaks off: then it
// still reads what was written to it, which is its own.
func (s *story) visit(ctx context.Context, ws *websocket.Conn, stays bool) {
	var mine []string
	defer func() { // that they are settled may have been lost
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, name := range mine {
			s.excused[name] = true
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = ws.SetReadDeadline(time.Now()) })
	defer stop()
	if harness.Send(ws, `{"m":"queue.pop","p":{"t":["chat"]},"i":"pop"}`) != nil {
		return
	}
	leave, breaks, leaving := 1+rand.IntN(800), rand.IntN(2) == 0, false
	for {
		_, text, err := ws.ReadMessage()
		if err != nil {
			return
		}
		switch {
		case strings.HasPrefix(string(text), `{"e":`):
			var e event
			if err := json.Unmarshal(text, &e); err != nil {
				s.t.Errorf("a consumer got %s", text)
				return
			}
			name := e.P.D.Frame.Data
			mine = append(mine, name)
			s.took(name)
			if leaving {
				continue
			}
			_ = harness.Send(ws, fmt.Sprintf(`{"m":"mesh.send","p":{"c":%q,"d":"got %s"},"i":%q}`, e.P.C, name, name)) // reading says so
			if len(mine) != leave || stays {
				continue
			}
			leaving = true
			if breaks {
				_ = ws.UnderlyingConn().(*net.TCPConn).CloseWrite()
			} else {
				_ = harness.Send(ws, `{"m":"queue.unpop","i":"unpop"}`)
			}
		case strings.HasSuffix(string(text), `,"i":"unpop"}`):
			mine = nil // settled, or not had
			return
		}
	}
}

func (s *story) took(name string) {
	number, of, _ := strings.Cut(name, "-")
	who, err := strconv.Atoi(number)
	i, err2 := strconv.Atoi(of)
	if err != nil || err2 != nil || who >= storyUsers {
		s.t.Errorf("a consumer got %q", name)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[name]++
	if s.got[name] > 1 && s.life[name] != s.lives {
		s.excused[name] = true
	}
	s.life[name] = s.lives
	if s.got[name] > 1 {
		return
	}
	if s.next[who] != i {
		s.disorder++
	}
	for s.got[frameName(who, s.next[who])] > 0 {
		s.next[who]++
	}
	s.come.Broadcast()
}

func (s *story) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got) == s.each*storyUsers
}

// play has all of them at work until everything has come, while each is called every third of a second.
func (s *story) play(consumers int, limit time.Duration, each func(round int)) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	for who := range storyUsers {
		wg.Go(func() { s.user(ctx, who) })
	}
	for range consumers {
		wg.Go(func() { s.consume(ctx, consumers == 1) })
	}
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	begun := time.Now()
	for round := 0; !s.over() && time.Since(begun) < limit; round++ {
		<-tick.C
		each(round)
	}
	took := time.Since(begun)
	<-tick.C // for what comes twice
	cancel()
	s.come.Broadcast()
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	again, wrong, once := 0, 0, 0
	for name, times := range s.got {
		switch {
		case times > 1 && times <= s.sent[name]:
			again++
		case times > 1 && s.excused[name]:
			again++
		case times > 1:
			wrong++
			s.t.Logf("%s came %d times, and was sent %d times", name, times, s.sent[name])
		default:
			once++
		}
	}
	s.t.Logf("%d came, %d of these once, %d out of order, %d answers, in %v", len(s.got), once, s.disorder, s.answers, took.Round(time.Millisecond))
	if want := s.each * storyUsers; len(s.got) != want {
		s.t.Errorf("%d came, want %d", len(s.got), want)
	}
	if wrong > 0 {
		s.t.Errorf("%d came twice though no connection of theirs failed", wrong)
	}
	if s.answers == 0 {
		s.t.Error("no end user got an answer")
	}
	if again > 0 {
		s.t.Logf("%d came again, as a connection or the bridge ended", again)
	}
}

// storyKills is for how many rounds something is killed, so that a slow machine comes to an end.
const storyKills = 24

func (s *story) killPlugin() {
	for _, pid := range s.bridge.Load().Children() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may be dead already
	}
}

// Whoever kills the plugin again and again loses no frame and has none come twice, and with one consumer those
// of each end user come in order.
func TestStoryOfOneConsumer(t *testing.T) {
	s := newStory(t, max(storySize(), harness.Size(50_000, 0))) // this one goes by no disk
	s.bridge.Store(harness.Start(t, config("topic_size = 200000\n    sync = \"interval\"", "")))
	s.play(1, 10*time.Minute, func(round int) {
		if round < storyKills || *long && round%3 == 0 {
			s.killPlugin()
		}
	})
	if s.disorder > 0 {
		t.Errorf("%d came out of order", s.disorder)
	}
	for name, times := range s.got {
		if times != 1 {
			t.Errorf("%s came %d times", name, times)
		}
	}
}

// The same with consumers that come and go, in order or by breaking off, and a bridge that is killed three
// times: everything comes, and twice only what was on a connection that failed.
func TestStoryOfDeaths(t *testing.T) {
	dir, err := os.MkdirTemp("", "mesh") // short, for the socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := config("topic_size = 20000", "")
	cfg.Head = "data_dir = \"" + dir + "\"\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n"
	s := newStory(t, storySize())
	s.bridge.Store(harness.Start(t, cfg))
	kills, every := 0, storyKills/4
	if *long {
		every = 30
	}
	s.play(storyConsumers, 10*time.Minute, func(round int) {
		switch {
		case round >= storyKills && !*long, *long && round%3 != 0:
		case kills < 3 && round%every == every-every/2:
			kills++
			s.bridge.Swap(nil).Kill()
			s.mu.Lock()
			s.lives++
			s.mu.Unlock()
			s.bridge.Store(harness.Start(t, cfg))
		default:
			s.killPlugin()
		}
	})
	t.Logf("the bridge was killed %d times", kills)
}
