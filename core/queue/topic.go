package queue

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// topic is what this node knows of one.
type topic struct {
	store                 *Store
	name, subject, stream string

	mu           sync.Mutex
	made         *Options // as it was made, or found last; nil: not yet, or not any more
	wanted       Options  // as it was made last
	opening      bool     // somebody is at it, or calls those who waited
	waiting      []opener
	consumptions map[*Consumption]struct{}
	draining     int // consumptions that end, and may still be given entries

	fresh atomic.Bool // made by the last open, and asked for by nobody else

	pushed, refused, delivered, redelivered atomic.Uint64
}

type opener struct {
	options Options
	then    func(*topic, error)
}

func newTopic(s *Store, name string) *topic {
	tok := token(name)
	return &topic{
		store: s, name: name, subject: subjectPrefix + tok, stream: streamOf(tok),
		consumptions: make(map[*Consumption]struct{}),
	}
}

// open calls then once the topic is as options say, in the order of the calls.
func (t *topic) open(options Options, then func(*topic, error)) {
	t.mu.Lock()
	if !t.opening && t.made != nil && *t.made == options {
		t.mu.Unlock()
		then(t, nil)
		return
	}
	t.waiting = append(t.waiting, opener{options, then})
	start := !t.opening
	t.opening = true
	t.mu.Unlock()
	if start {
		t.store.wg.Go(t.serveOpeners)
	}
}

// serveOpeners makes the topic as those want it who wait, one after another.
func (t *topic) serveOpeners() {
	for {
		t.mu.Lock()
		if len(t.waiting) == 0 {
			t.opening = false
			gone := t.made == nil
			t.mu.Unlock()
			if gone {
				t.store.forget(t)
			}
			return
		}
		next := t.waiting[0]
		t.waiting = t.waiting[1:]
		made := t.made
		t.mu.Unlock()
		var err error
		if made == nil || *made != next.options {
			err = t.store.make(t, next.options)
		}
		if err == nil {
			t.mu.Lock()
			t.made, t.wanted = &next.options, next.options
			t.mu.Unlock()
		} else {
			t.store.unopened.Add(1)
		}
		next.then(t, err)
	}
}

// unmade has the topic made again when somebody asks for it: the server does not know it any more.
func (t *topic) unmade() {
	t.mu.Lock()
	t.made = nil
	t.mu.Unlock()
}

// count counts how a push ended.
func (t *topic) count(err error) {
	switch {
	case err == nil:
		t.pushed.Add(1)
	case errors.Is(err, errNoStream):
		t.unmade()
		fallthrough
	default:
		t.refused.Add(1)
	}
}

func (t *topic) options() Options {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wanted
}

func (t *topic) all() []*Consumption {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*Consumption, 0, len(t.consumptions))
	for c := range t.consumptions {
		list = append(list, c)
	}
	return list
}

// makeTimeout is how long the store may take to answer.
const makeTimeout = 5 * time.Second

// dedupe is for how long the id of a push is known.
const dedupe = 2 * time.Minute

// make makes the stream of a topic, or has it as options say.
func (s *Store) make(t *topic, o Options) error {
	s.making.Lock()
	defer s.making.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), makeTimeout)
	defer cancel()
	cfg := jetstream.StreamConfig{
		Name: t.stream, Subjects: []string{t.subject}, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
		MaxMsgs: int64(o.Size), MaxAge: o.TTL, Duplicates: min(dedupe, o.TTL), Replicas: s.cfg.Replicas, Storage: jetstream.FileStorage,
		Metadata: map[string]string{"bridge.topic": t.name},
	}
	if o.Memory {
		cfg.Storage = jetstream.MemoryStorage
	}
	st, err := s.js.Stream(ctx, t.stream)
	switch {
	case err == nil:
		have := st.CachedInfo().Config
		if cfg.Storage != have.Storage {
			s.log.Warn("a topic stays stored as it is, until it is gone", "topic", t.name, "storage", have.Storage.String())
		}
		// What cannot be changed, or is not ours to.
		cfg.Storage, cfg.Replicas = have.Storage, have.Replicas
		if cfg.MaxMsgs == have.MaxMsgs && cfg.MaxAge == have.MaxAge && cfg.Duplicates == have.Duplicates {
			return nil
		}
		if _, err = s.js.UpdateStream(ctx, cfg); err != nil {
			return unavailable(err)
		}
		return nil
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return unavailable(err)
	}
	list, err := s.list(ctx)
	if err != nil {
		return err
	}
	if len(list) >= o.MaxTopics && !s.clear(ctx, list) {
		return ErrTooManyTopics
	}
	if err := s.cfg.Room(); err != nil {
		return err
	}
	_, err = s.js.CreateStream(ctx, cfg)
	if tooFewServers(err) && cfg.Replicas > 1 { // the cluster adds copies when there are more
		cfg.Replicas = 1
		_, err = s.js.CreateStream(ctx, cfg)
	}
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return unavailable(err)
	}
	t.fresh.Store(true)
	return nil
}

// tooFewServers says whether a stream was not made because there are less servers than copies of it.
func tooFewServers(err error) bool {
	const noPeers, resources = 10005, 10023 // as NATS numbers it
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == noPeers || api.ErrorCode == resources)
}

// Topic is what is known of a topic in the store.
type Topic struct {
	Name  string
	Depth uint64 // entries that wait, or are a consumer's
	info  *jetstream.StreamInfo
}

// list returns the topics of the store.
func (s *Store) list(ctx context.Context) ([]Topic, error) {
	var list []Topic
	infos := s.js.ListStreams(ctx, jetstream.WithStreamListSubject(subjectPrefix+">"))
	for info := range infos.Info() {
		for _, subject := range info.Config.Subjects {
			if name, ok := fromToken(subject[min(len(subjectPrefix), len(subject)):]); ok {
				list = append(list, Topic{Name: name, Depth: info.State.Msgs, info: info})
			}
		}
	}
	if err := infos.Err(); err != nil {
		return nil, unavailable(err)
	}
	return list, nil
}

// clear makes room for a topic by taking away those that nobody has used for as long as an entry may wait.
func (s *Store) clear(ctx context.Context, list []Topic) (cleared bool) {
	for _, t := range list {
		last := t.info.Created
		if t.info.State.LastTime.After(last) {
			last = t.info.State.LastTime
		}
		if t.Depth > 0 || t.info.TimeStamp.Sub(last) < t.info.Config.MaxAge || s.consumed(ctx, t) {
			continue
		}
		if err := s.js.DeleteStream(ctx, t.info.Config.Name); err != nil {
			continue
		}
		s.mu.Lock()
		known := s.topics[t.Name]
		delete(s.topics, t.Name)
		s.mu.Unlock()
		if known != nil {
			known.unmade()
		}
		s.log.Info("a topic that nobody used is gone", "topic", t.Name)
		cleared = true
	}
	return cleared
}

// consumed says whether anybody waits for entries of a topic.
func (s *Store) consumed(ctx context.Context, t Topic) bool {
	c, err := s.js.Consumer(ctx, t.info.Config.Name, consumerName)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return false
	}
	if err != nil {
		return true
	}
	info := c.CachedInfo()
	return info.NumWaiting > 0 || info.NumAckPending > 0
}

// drop takes away a topic that was made for nothing, if it is still empty.
func (s *Store) drop(t *topic) {
	s.making.Lock()
	defer s.making.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), makeTimeout)
	defer cancel()
	st, err := s.js.Stream(ctx, t.stream)
	if err != nil || st.CachedInfo().State.LastSeq > 0 || s.consumed(ctx, Topic{info: st.CachedInfo()}) {
		return
	}
	t.unmade()
	_ = s.js.DeleteStream(ctx, t.stream) // else it is one topic more for a while
}
