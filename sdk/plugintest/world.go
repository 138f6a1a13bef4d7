package plugintest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// patience is how long an expectation may take to come true before the transcript fails.
const patience = 10 * time.Second

// world is everything around one plugin while one transcript is played.
type world struct {
	plugin   *pluginhost.Plugin
	launcher *watched
	host     *host
	queues   *queues
	clock    *clock
	clients  map[string]*client
	calls    map[string]*asking  // the last seen, by name
	opening  map[string]*opening // of clients that are not there yet, by name
	routes   []*pluginv1.RouteConfig
	limits   *session.Limits

	activity atomic.Uint64
	news     chan struct{} // holds one: something changed
}

// play plays a transcript once and returns how many acks it took, and how it failed.
func play(tr *transcript, launch pluginhost.Launcher, k kill, log *slog.Logger) (acks int, err error) {
	w := &world{
		clock: newClock(), clients: make(map[string]*client), calls: make(map[string]*asking),
		opening: make(map[string]*opening), routes: tr.config.request().GetRoutes(),
		limits: session.NewLimits(session.Limits{}), news: make(chan struct{}, 1),
	}
	w.launcher = &watched{
		Launcher: launch, kill: k, changed: w.changed, open: make(map[*watchedLink]bool),
		bound: make(map[uint64]bool), sent: make(map[uint64]uint64),
	}
	w.queues = newQueues(w.changed)
	h := hub.New()
	w.host = &host{
		hub: h, changed: w.changed, claims: make(map[string]*session.Session), ended: make(map[*session.Session]bool),
		foreign: h.Group("other", hub.Options{}), roles: make(map[string]string),
	}
	for _, r := range w.routes {
		w.host.roles[r.GetId()] = r.GetRole()
	}
	var ids atomic.Uint64
	w.plugin = pluginhost.New(pluginhost.Config{
		Label: "test", Host: w.host, Logger: log, Clock: w.clock,
		NewID:  func() uint64 { return ids.Add(1) },
		Queues: w.queues.use,
		Settings: pluginhost.Settings{Launcher: w.launcher, Configure: func(d *pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
			if w.host.group == nil {
				w.host.group = h.Group("test", hub.Options{Owns: d.GetOwns(), Reserved: d.GetReserved(), Deliver: w.deliver})
			}
			return tr.config.request(), nil
		}},
	})
	w.host.context = w.plugin.ChangeContext
	defer func() {
		w.plugin.Stop()
		if err != nil {
			err = fmt.Errorf("%w\n\tkilled at %+v", err, k)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.plugin.Start(ctx); err != nil {
		return 0, err
	}
	for _, l := range tr.lines {
		if err := w.act(&l); err != nil {
			return 0, fmt.Errorf("%s:%d: %w", tr.file, l.number, err)
		}
	}
	if err := w.finish(); err != nil {
		return 0, fmt.Errorf("%s: at the end: %w", tr.file, err)
	}
	w.launcher.mu.Lock()
	defer w.launcher.mu.Unlock()
	return w.launcher.acks, nil
}

func (w *world) changed() {
	w.activity.Add(1)
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *world) deliver(channels []string, m *hub.Message, done func()) {
	w.plugin.Deliver(channels, &pluginv1.Content{
		Type: m.Type, Payload: m.Payload, AuthorRealm: m.Realm, AuthorId: m.UserID,
		Time: w.clock.Now().UnixMilli(), Id: "1", Origin: m.Origin,
	}, done)
}

// until waits for ready; what says what for.
func (w *world) until(what func() string, ready func() bool) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for !ready() {
		select {
		case <-w.news:
		case <-late.C:
			return errors.New(what())
		}
	}
	return nil
}

// What nobody knows about may still be going on in the host for a moment, as an event between its
// mailbox and the link: so rest is when nothing has happened for twice restTime; for lostTime where an
// event of a client was not seen on the link, as it may have been dropped.
const (
	restTime = 3 * time.Millisecond
	lostTime = 100 * time.Millisecond
)

// rest waits until everybody is at rest: no event is in flight, and none comes. Calls that wait for
// the transcript do not count.
func (w *world) rest() error {
	late := time.Now().Add(patience)
	for quiet := time.Duration(0); ; quiet += restTime {
		if w.launcher.atRest() && (quiet >= 2*restTime && w.allTaken() || quiet >= lostTime) {
			return nil
		}
		if time.Now().After(late) {
			return errors.New("the plugin does not come to rest")
		}
		before := w.activity.Load()
		<-time.After(restTime)
		if w.activity.Load() != before {
			quiet = -restTime
		}
	}
}

// allTaken says whether all that clients did has reached the link.
func (w *world) allTaken() bool {
	w.host.mu.Lock()
	defer w.host.mu.Unlock()
	for _, c := range w.clients {
		if c.gone() {
			if !w.host.ended[c.session] {
				return false
			}
		} else if !w.launcher.took(c.session.ID, c.did) {
			return false
		}
	}
	return true
}

func (w *world) act(l *line) error {
	switch l.mark[0] {
	case '!':
		return w.direct(l)
	case '@':
		if text, ok := strings.CutPrefix(l.rest, "="); ok {
			return w.reply(l.who, strings.TrimSpace(text))
		}
		return w.question(l.who, l.rest)
	}
	switch l.mark {
	case ">r":
		return w.request(l)
	case ">h":
		return w.header(l)
	}
	c := w.client(l.who, "/")
	if l.mark[0] == '>' {
		if err := w.settle(c); err != nil {
			return err
		}
	}
	switch l.mark {
	case ">e":
		c.endInput()
	case ">":
		c.frame([]byte(l.rest), false)
	case ">b":
		data, err := hex.DecodeString(l.rest)
		if err != nil {
			return err
		}
		c.frame(data, true)
	case ">x":
		var code int
		text, reason, _ := strings.Cut(l.rest, " ")
		if _, err := fmt.Sscan(text, &code); err != nil {
			return fmt.Errorf("close code %q: %w", text, err)
		}
		c.close(code, reason)
	default:
		return w.expect(c, trimmed(l.mark+" "+l.rest))
	}
	w.changed()
	return nil
}

// expect waits for the next thing that the client gets.
func (w *world) expect(c *client, want string) error {
	var got string
	err := w.until(
		func() string { return "nothing came\n\twant " + want },
		func() (ok bool) { got, ok = c.next(); return ok })
	if err == nil && !matches(want, trimmed(got)) {
		err = fmt.Errorf("\n\tgot  %s\n\twant %s", got, want)
	}
	return err
}

func (w *world) direct(l *line) error {
	verb, rest, _ := strings.Cut(l.rest, " ")
	switch verb {
	case "open":
		name, path, _ := strings.Cut(rest, " ")
		if path == "" {
			path = "/"
		}
		w.client(name, path)
	case "tcp":
		return w.connectTCP(rest)
	case "admit":
		return w.admit(rest)
	case "local":
		return w.local(rest)
	case "rest":
		return w.rest()
	case "advance":
		text, now := strings.CutSuffix(rest, " now")
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		if !now {
			if err := w.rest(); err != nil {
				return err
			}
		}
		w.clock.advance(d)
	case "kill":
		w.launcher.mu.Lock()
		p := w.launcher.current
		w.launcher.mu.Unlock()
		p.Kill()
	case "queue":
		w.queues.setAway(rest == "away")
	case "publish":
		channel, rest, _ := strings.Cut(rest, " ")
		typ, payload, _ := strings.Cut(rest, " ")
		w.host.foreign.Hand([]string{channel}, &hub.Message{Type: typ, Payload: []byte(payload), Origin: "other"})
	default:
		return fmt.Errorf("unknown directive %q", verb)
	}
	w.changed()
	return nil
}

// question waits until the back-end is asked that.
func (w *world) question(name, want string) error {
	var open []string
	return w.until(
		func() string {
			return fmt.Sprintf("the back-end was not asked\n\twant %s\n\topen %s", want, strings.Join(open, "\n\t     "))
		},
		func() bool {
			w.host.mu.Lock()
			defer w.host.mu.Unlock()
			open = open[:0]
			for _, q := range w.host.questions {
				if q.seen {
					continue
				}
				if matches(want, q.text) {
					q.seen = true
					w.calls[name] = q
					return true
				}
				open = append(open, q.text)
			}
			return false
		})
}

// reply answers the question seen last under that name.
func (w *world) reply(name, text string) error {
	q := w.calls[name]
	if q == nil {
		return errors.New("there is no question to answer")
	}
	var r Reply
	if text != "" {
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return err
		}
	}
	a, err := r.answer()
	if err != nil {
		return err
	}
	if len(r.Together) > 0 && !q.together {
		return errors.New("the question takes its elements one by one")
	}
	if a.GetLast() {
		delete(w.calls, name)
	}
	select {
	case q.answers <- a:
		w.changed()
		return nil
	case <-time.After(patience):
		return errors.New("nobody waits for the answer")
	}
}

// finish looks for what was not expected, and lets all clients go.
func (w *world) finish() error {
	if err := w.rest(); err != nil {
		return err
	}
	var errs []error
	for name, c := range w.clients {
		for entry, ok := c.next(); ok; entry, ok = c.next() {
			errs = append(errs, fmt.Errorf("client %q also got %s", name, entry))
		}
	}
	w.host.mu.Lock()
	for _, q := range w.host.questions {
		if !q.seen {
			errs = append(errs, fmt.Errorf("the back-end was also asked: %s", q.text))
		}
	}
	w.host.mu.Unlock()
	for name, c := range w.clients {
		c.close(1000, "")
		errs = append(errs, w.until(
			func() string { return fmt.Sprintf("the end of client %q was not handled", name) },
			func() bool {
				w.host.mu.Lock()
				defer w.host.mu.Unlock()
				return w.host.ended[c.session]
			}))
	}
	return errors.Join(errs...)
}
