package queue

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A file of topics has a line of JSON for each thing: first what it is, then each topic followed by its
// entries in order, and last how many entries there were.
type line struct {
	Format  string `json:"bridge_queues,omitempty"` // "1", on the first line
	Topic   string `json:"topic,omitempty"`         // of what follows
	Size    int64  `json:"size,omitempty"`          // entries that may wait in it
	TTL     string `json:"ttl,omitempty"`
	Memory  bool   `json:"memory,omitempty"`
	Entry   []byte `json:"entry,omitempty"`
	Is      string `json:"is,omitempty"` // "entry" for one, whose bytes may be none, "end" on the last line
	Entries *int   `json:"entries,omitempty"`
}

const (
	format  = "1"
	isEntry = "entry"
	isEnd   = "end"
)

// Export writes all topics and what waits in them, and returns how many entries that are. It takes nothing
// out; nobody may push or consume meanwhile.
func (s *Store) Export(ctx context.Context, to io.Writer) (entries int, err error) {
	list, err := s.list(ctx)
	if err != nil {
		return 0, err
	}
	slices.SortFunc(list, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	w := bufio.NewWriter(to)
	out := json.NewEncoder(w)
	err = out.Encode(line{Format: format})
	for _, t := range list {
		if err != nil {
			return entries, err
		}
		n, failed := s.exportTopic(ctx, t, out)
		entries, err = entries+n, failed
	}
	if err == nil {
		err = out.Encode(line{Is: isEnd, Entries: &entries})
	}
	return entries, errors.Join(err, w.Flush())
}

func (s *Store) exportTopic(ctx context.Context, t Topic, out *json.Encoder) (n int, err error) {
	cfg := t.info.Config
	if err := out.Encode(line{
		Topic: t.Name, Size: cfg.MaxMsgs, TTL: cfg.MaxAge.String(), Memory: cfg.Storage == jetstream.MemoryStorage,
	}); err != nil {
		return 0, err
	}
	st, err := s.js.Stream(ctx, cfg.Name)
	if err != nil {
		return 0, unavailable(err)
	}
	last := st.CachedInfo().State.LastSeq
	for seq := st.CachedInfo().State.FirstSeq; seq <= last; seq++ {
		m, err := st.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(cfg.Subjects[0])) // the next one, where that has gone
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return n, unavailable(err)
		}
		seq = m.Sequence
		if err := out.Encode(line{Is: isEntry, Entry: m.Data}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Import stores what Export wrote, all of it or nothing, and returns how many entries that are. A topic that
// has entries already is not mixed with others: that is an error. An entry begins to age anew.
func (s *Store) Import(ctx context.Context, from io.Reader) (entries int, err error) {
	in := json.NewDecoder(bufio.NewReader(from))
	in.DisallowUnknownFields()
	var first line
	if err := in.Decode(&first); err != nil || first.Format == "" {
		return 0, errors.New("this is no file of `bridge queue export`")
	}
	if first.Format != format {
		return 0, fmt.Errorf("the file is of format %q, which a newer bridge reads", first.Format)
	}
	im := importing{store: s, out: s.out, nonce: nats.NewInbox()}
	defer func() {
		if err != nil {
			im.undo()
			entries = 0
		}
	}()
	for {
		var l line
		if err := in.Decode(&l); err != nil {
			return im.entries, fmt.Errorf("the file breaks off after %d entries: %w", im.entries, err)
		}
		switch {
		case l.Topic != "":
			err = im.topic(ctx, l)
		case l.Is == isEntry && im.at != nil:
			err = im.entry(ctx, l)
		case l.Is == isEnd && l.Entries != nil:
			if err := im.settle(ctx); err != nil {
				return im.entries, err
			}
			if *l.Entries != im.entries {
				return im.entries, fmt.Errorf("the file says that it has %d entries, and has %d", *l.Entries, im.entries)
			}
			return im.entries, nil
		default:
			err = errors.New("a line of the file is neither a topic nor an entry")
		}
		if err != nil {
			return im.entries, err
		}
	}
}

type importing struct {
	store   *Store
	out     *publisher
	at      *topic
	nonce   string   // of the ids of this import's pushes
	made    []*topic // topics that were not there
	found   []*topic // and that were, empty
	entries int
	waiting []chan error // pushes that are not confirmed
}

// importAhead is how many pushes are not waited for.
const importAhead = 256

func (im *importing) topic(ctx context.Context, l line) error {
	if !validTopic(l.Topic) {
		return fmt.Errorf("%q cannot be the name of a topic", l.Topic)
	}
	ttl, err := time.ParseDuration(l.TTL)
	if err != nil || ttl <= 0 || l.Size <= 0 {
		return fmt.Errorf("topic %q: its size or ttl is wrong", l.Topic)
	}
	list, err := im.store.list(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(t Topic) bool { return t.Name == l.Topic })
	if i >= 0 && list[i].Depth > 0 {
		return fmt.Errorf("topic %q has %d entries here already; import into another data_dir, or have them consumed first", l.Topic, list[i].Depth)
	}
	if err := im.settle(ctx); err != nil {
		return err
	}
	const many = 1 << 20 // how many there may be is for the plugins to say
	opened := make(chan error, 1)
	view := im.store.With(Options{Size: int(l.Size), TTL: ttl, Memory: l.Memory, MaxTopics: many})
	view.open(l.Topic, func(t *topic, err error) {
		im.at = t
		opened <- err
	})
	if err := <-opened; err != nil {
		return fmt.Errorf("topic %q: %w", l.Topic, err)
	}
	if i >= 0 {
		im.found = append(im.found, im.at)
	} else {
		im.made = append(im.made, im.at)
	}
	return nil
}

func (im *importing) entry(ctx context.Context, l line) error {
	if err := im.store.cfg.Room(); err != nil {
		return err
	}
	done := make(chan error, 1)
	im.entries++
	im.out.add(&push{topic: im.at, id: fmt.Sprintf("%s-%d", im.nonce, im.entries), data: l.Entry, done: func(err error) { done <- err }})
	im.waiting = append(im.waiting, done)
	if len(im.waiting) < importAhead {
		return nil
	}
	return im.settle(ctx)
}

// settle waits for what is on its way.
func (im *importing) settle(ctx context.Context) error {
	for _, done := range im.waiting {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("topic %q: an entry is not stored: %w", im.at.name, err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	im.waiting = nil
	return nil
}

// undo takes away what was stored.
func (im *importing) undo() {
	ctx, cancel := context.WithTimeout(context.Background(), makeTimeout)
	defer cancel()
	for _, t := range im.made {
		_ = im.store.js.DeleteStream(ctx, t.stream) // the first error is what is told
		t.unmade()
	}
	for _, t := range im.found {
		if st, err := im.store.js.Stream(ctx, t.stream); err == nil {
			_ = st.Purge(ctx)
		}
	}
}
