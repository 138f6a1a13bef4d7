//go:build linux

package harness

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// LoadConfig is how much a Load asks.
type LoadConfig struct {
	URL      string // of a CTProto route in front of Backend
	Backend  *Backend
	Sessions int
	Pipeline int           // questions of a session on their way at a time
	Every    time.Duration // between two questions of a session
	Slow     time.Duration // the longest that the back-end takes for an answer
}

// Load is a number of CTProto sessions that pipeline numbered questions to a Backend, which answers
// most at once, a quarter after 50 ms and one in twenty after a long while.
type Load struct {
	cfg      LoadConfig
	sessions []*loadSession
	stop     chan struct{}
	ending   atomic.Bool // from now on connections may end
	running  sync.WaitGroup

	answered atomic.Int64
	worst    atomic.Int64 // of the times that questions took beyond the back-end's own delay, ns
	last     atomic.Int64 // when the last answer of any session came, ns
	silence  atomic.Int64 // the longest time without any answer, ns

	mu     sync.Mutex
	faults []string // guarded by mu
}

// loadSession is one client. What it asked is numbered from 0.
type loadSession struct {
	load   *Load
	number int
	ws     *websocket.Conn
	room   chan struct{}

	mu   sync.Mutex
	sent []time.Time // guarded by mu; when each question was, zero once it is answered
	open int         // guarded by mu; questions not answered
}

// Report is how a load went.
type Report struct {
	Questions int
	// Worst is the longest that a question took beyond the back-end's own delay, Silence the longest
	// time in which no session got any answer.
	Worst, Silence time.Duration
}

// String is for a test's log.
func (r Report) String() string {
	return fmt.Sprintf("%d questions, each asked and answered once; worst pause %v, longest silence of all sessions %v",
		r.Questions, r.Worst.Round(time.Millisecond), r.Silence.Round(time.Millisecond))
}

// StartLoad opens and authorizes all sessions and begins to ask.
func StartLoad(t testing.TB, cfg LoadConfig) *Load {
	t.Helper()
	l := &Load{cfg: cfg, stop: make(chan struct{})}
	for i := range cfg.Sessions {
		ws, err := DialCTProto(cfg.URL)
		if err != nil {
			t.Fatalf("session %d: %v", i, err)
		}
		t.Cleanup(func() { _ = ws.Close() })
		l.sessions = append(l.sessions, &loadSession{load: l, number: i, ws: ws, room: make(chan struct{}, cfg.Pipeline)})
	}
	l.last.Store(time.Now().UnixNano())
	for _, s := range l.sessions {
		l.running.Go(s.ask)
		l.running.Go(s.read)
	}
	return l
}

func (l *Load) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// settle is how long a load listens for answers that come twice.
const settle = 500 * time.Millisecond

// Finish stops asking, waits for the last answers, and fails the test unless every question was
// answered exactly once, was asked of the back-end exactly once, and no connection was closed.
func (l *Load) Finish(t testing.TB) Report {
	t.Helper()
	close(l.stop)
	if !Eventually(AnswerLimit, func() bool { return l.open() == 0 || l.failed() }) {
		for _, s := range l.sessions {
			if open := s.openQuestions(); len(open) > 0 {
				l.fault("session %d waits for the answers of %v", s.number, open)
			}
		}
	}
	Pause(settle)
	l.ending.Store(true)
	for _, s := range l.sessions {
		Close(s.ws)
	}
	l.running.Wait()
	report := Report{Worst: time.Duration(l.worst.Load()), Silence: time.Duration(l.silence.Load())}
	asked := make([]int, len(l.sessions))
	for i, s := range l.sessions {
		asked[i] = len(s.sent)
		report.Questions += len(s.sent)
	}
	faults := slices.Concat(l.faults, l.cfg.Backend.check(asked))
	for i, fault := range faults {
		if i == 20 {
			t.Errorf("and %d faults more", len(faults)-i)
			break
		}
		t.Error(fault)
	}
	return report
}

func (l *Load) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.faults) > 0
}

// Answered is how many questions were answered so far.
func (l *Load) Answered() int { return int(l.answered.Load()) }

func (l *Load) open() int {
	n := 0
	for _, s := range l.sessions {
		n += len(s.openQuestions())
	}
	return n
}

func (s *loadSession) openQuestions() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []int
	if s.open == 0 {
		return nil
	}
	for n, at := range s.sent {
		if !at.IsZero() {
			list = append(list, n)
		}
	}
	return list
}

// question is the n-th of the session.
func (s *loadSession) question(n int) Question {
	q := Question{Session: s.number, Number: n, Silent: (s.number+n)%3 == 0}
	switch kind := (s.number*7 + n) % 20; {
	case kind == 0:
		q.DelayMS = int(s.load.cfg.Slow.Milliseconds())
	case kind <= 5:
		q.DelayMS = 50
	}
	return q
}

func questionID(n int) string { return fmt.Sprintf("%010d", n) }

// ask is the goroutine that writes.
func (s *loadSession) ask() {
	tick := time.NewTicker(s.load.cfg.Every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.load.stop:
			return
		case <-tick.C:
		}
		select {
		case <-s.load.stop:
			return
		case s.room <- struct{}{}:
		}
		payload, err := json.Marshal(s.question(n))
		if err != nil {
			s.load.fault("session %d: %v", s.number, err)
			return
		}
		frame, err := json.Marshal(message{questionID(n), QuestionType, payload})
		if err != nil {
			s.load.fault("session %d: %v", s.number, err)
			return
		}
		s.mu.Lock()
		s.sent = append(s.sent, time.Now())
		s.open++
		s.mu.Unlock()
		if err := s.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
			s.load.fault("session %d cannot ask question %d: %v", s.number, n, err)
			return
		}
	}
}

// read is the goroutine that reads, until the end.
func (s *loadSession) read() {
	if err := s.ws.SetReadDeadline(time.Time{}); err != nil {
		s.load.fault("session %d: %v", s.number, err)
	}
	for {
		_, frame, err := s.ws.ReadMessage()
		if err != nil {
			if !s.load.ending.Load() {
				s.load.fault("the connection of session %d was closed: %v", s.number, err)
			}
			return
		}
		if err := s.take(frame); err != nil {
			s.load.fault("session %d: %v", s.number, err)
		}
	}
}

// take takes a response.
func (s *loadSession) take(frame []byte) error {
	now := time.Now()
	var m message
	if err := json.Unmarshal(frame, &m); err != nil {
		return fmt.Errorf("%q: %w", frame, err)
	}
	if m.Type != "" {
		return fmt.Errorf("a message that nobody asked for: %s", frame)
	}
	var n int
	if _, err := fmt.Sscanf(m.ID, "%d", &n); err != nil || questionID(n) != m.ID {
		return fmt.Errorf("a response to no question: %s", frame)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n >= len(s.sent) {
		return fmt.Errorf("a response to a question that was not asked: %s", frame)
	}
	if s.sent[n].IsZero() {
		return fmt.Errorf("a second response: %s", frame)
	}
	q := s.question(n)
	want := fmt.Sprintf(`{"s":%d,"n":%d}`, q.Session, q.Number)
	if q.Silent {
		want = `{}`
	}
	if string(m.Payload) != want {
		return fmt.Errorf("response %s, want the payload %s", frame, want)
	}
	took := now.Sub(s.sent[n]) - time.Duration(q.DelayMS)*time.Millisecond
	s.sent[n] = time.Time{}
	s.open--
	<-s.room
	s.load.note(now, took)
	return nil
}

// note keeps the worst of the times.
func (l *Load) note(now time.Time, took time.Duration) {
	l.answered.Add(1)
	Raise(&l.worst, int64(took))
	if before := l.last.Swap(now.UnixNano()); before < now.UnixNano() {
		Raise(&l.silence, now.UnixNano()-before)
	}
}

// Raise makes most at least to.
func Raise(most *atomic.Int64, to int64) {
	was := most.Load()
	for to > was && !most.CompareAndSwap(was, to) {
		was = most.Load()
	}
}
