package chat

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/files"
	"github.com/protocol-bridge/bridge/plugins/chat/store"
)

const (
	// markEvery is how often what was told is marked, markShared where other nodes may look for what was not.
	markEvery  = time.Second
	markShared = 50 * time.Millisecond
	// missEvery is how often what nobody told is looked for, and untold how old it is by then.
	missEvery = 2 * time.Second
	untold    = 3 * time.Second
	// tidyEvery is how often what is over is forgotten.
	tidyEvery = 10 * time.Minute
	// abandoned is for how long an upload may not have gone on.
	abandoned = time.Hour
)

// keeper keeps the database tidy, beside the steps. What dies with it is done by the next one.
type keeper struct {
	store  *store.Store
	files  files.Store
	outbox *outbox
	log    *slog.Logger
	end    context.CancelFunc
	done   sync.WaitGroup
}

func (k *keeper) start(s *store.Store, f files.Store, o *outbox, log *slog.Logger) {
	k.store, k.files, k.outbox, k.log = s, f, o, log
	var ctx context.Context
	ctx, k.end = context.WithCancel(context.Background())
	k.done.Go(func() { k.run(ctx) })
}

// stop waits until nothing is done any more, and marks what was told: no step runs any more. It may be called
// again.
func (k *keeper) stop() {
	if k.end == nil {
		return
	}
	k.end()
	k.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	k.report("mark what was told", k.mark(ctx, true))
	k.end = nil
}

func (k *keeper) run(ctx context.Context) {
	every := markEvery
	if k.store.Shared() {
		every = markShared
	}
	mark, miss, tidy := time.NewTicker(every), time.NewTicker(missEvery), time.NewTicker(tidyEvery)
	defer mark.Stop()
	defer miss.Stop()
	defer tidy.Stop()
	for {
		select {
		case <-mark.C:
			k.report("mark what was told", k.mark(ctx, false))
		case <-miss.C:
			rooms, err := k.store.UnpublishedRooms(ctx, time.Now().Add(-untold))
			k.outbox.miss(rooms)
			k.report("look for what was not told", err)
		case <-tidy.C:
			k.report("tidy the database", k.tidy(ctx))
		case <-ctx.Done():
			return
		}
	}
}

func (k *keeper) report(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		k.log.Warn("housekeeping failed, and will be tried again", "task", what, "err", err)
	}
}

func (k *keeper) mark(ctx context.Context, last bool) error {
	upTo := k.outbox.ripe(last)
	err := k.store.MarkPublished(ctx, upTo)
	if err == nil {
		k.outbox.mark(upTo)
	}
	return err
}

// tidy forgets what nobody will ask for: tokens, events, uploads that nobody finishes.
func (k *keeper) tidy(ctx context.Context) error {
	k.outbox.forget()
	before := time.Now().Add(-abandoned)
	if err := k.store.Cleanup(ctx, before, k.files.Remove); err != nil {
		return err
	}
	return k.files.Sweep(ctx, before, k.store.HasFile)
}
