//go:build linux

package chat

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// unnoted is when a write that nobody noted as told is taken for one of a dead process, with some time to spare.
const unnoted = 300 * time.Millisecond

// dead is a process that commits what is said, and dies before anybody is told.
type dead struct {
	t     *testing.T
	store *store.Store
	said  int
}

func newDead(t *testing.T, database, dir string) *dead {
	t.Helper()
	s, err := store.Open(t.Context(), database, dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &dead{t: t, store: s}
}

func (d *dead) commit(room, user int64, text string) {
	d.t.Helper()
	d.said++
	_, err := d.store.Say(d.t.Context(), "dead/"+strconv.Itoa(d.said), store.NewMessage{Room: room, User: user, Text: text, Power: 1})
	if err != nil {
		d.t.Fatal(err)
	}
}

// hears fails unless the client hears that text next, and the room's power.
func (c *client) hears(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		c.want(`{"type":3,"message":"%s",<any>`, text)
		c.want(`{"type":17,<any>`)
	}
}

// TestCommittedAndNotTold: what was committed by a process that died before it told anybody is told by another:
// by the next who writes in the room, before his own, by some session where nobody writes, and after the bridge
// was killed, to members who come again and ask for no history.
func TestCommittedAndNotTold(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { committedAndNotTold(t, "sqlite:chat.db") })
	t.Run("postgres", func(t *testing.T) { committedAndNotTold(t, postgrestest.Start(t).Database(t)) })
}

func committedAndNotTold(t *testing.T, database string) {
	dir := filepath.Join(t.TempDir(), "data")
	cfg := harness.Config{Head: inDataDir(dir), File: file(database, "")}
	b := harness.Start(t, cfg)
	p := &place{b, b.AddressOf("legacy")}
	alice, bob := p.user(t, "alice"), p.user(t, "bob")
	room := alice.room("r")
	bob.join(room, alice)
	alice.speak(room, "told", bob)
	d := newDead(t, database, dir)

	d.commit(room, alice.id, "first")
	d.commit(room, bob.id, "second")
	harness.Pause(unnoted)
	bob.say(`{"type":3,"room_id":%d,"message":"third","msg_type":0}`, room)
	for _, c := range []*client{alice, bob} {
		c.hears("first", "second", "third")
	}
	d.commit(room, alice.id, "fourth")
	for _, c := range []*client{alice, bob} { // nobody writes
		c.hears("fourth")
	}
	alice.speak(room, "fifth", bob)
	alice.nothing() // none of it comes again
	bob.nothing()

	d.commit(room, bob.id, "sixth")
	b.Kill()
	b.CheckNothingLeft()
	b = harness.Start(t, cfg)
	again := &place{b, b.AddressOf("legacy")}
	for _, c := range []*client{alice, bob} {
		c.ws = again.dial(t).ws
		c.say(`{"type":2,"token":%q}`, c.token)
		c.in(c.login)
	}
	for _, c := range []*client{alice, bob} {
		c.until(`{"type":3,"message":"sixth"`) // behind what was told shortly before the end, perhaps
		c.want(`{"type":17,<any>`)
	}
	alice.speak(room, "seventh", bob)
}
