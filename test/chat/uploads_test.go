//go:build linux

package chat

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestManyUploads: however much is uploaded, at the same time, core and plugin keep little of it in memory. With
// BRIDGE_LONG it is 1 GB instead of 100 MB.
func TestManyUploads(t *testing.T) {
	t.Run("folder", func(t *testing.T) { manyUploads(t, "sqlite:chat.db") })
	t.Run("database", func(t *testing.T) { manyUploads(t, postgrestest.Start(t).Database(t)) })
}

func manyUploads(t *testing.T, database string) {
	t.Helper()
	const (
		size     = 10_000_000
		clients  = 5
		mostHeld = 160 << 20 // resident, of either: bounds of binary frames in flight, and what the collector lets lie
	)
	each := harness.Size(2, 1)
	if long() {
		each = 20
	}
	p := open(t, database, "    single_session = false\n")
	data := strings.Repeat("0123456789", size/10)
	stop := make(chan struct{})
	peak := make(map[string]int64)
	var watch, upload sync.WaitGroup
	watch.Go(func() {
		for {
			peak["core"] = max(peak["core"], harness.RSS(p.Pid()))
			for _, pid := range p.Children() {
				peak["plugin"] = max(peak["plugin"], harness.RSS(pid))
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	for range clients {
		c := p.user(t, "member")
		upload.Go(func() {
			room := c.room("r")
			for range each {
				c.say(`{"type":24,"name":"big","size":%d,"room_id":%d}`, size, room)
				c.want(`{"type":27}`)
				for at := 0; at < size; at += 1 << 20 {
					c.binary(data[at:min(at+1<<20, size)])
				}
				c.want(`{"type":17,"power":<n>,"room_id":%d}`, room)
				c.until(`{"type":3,`)
			}
		})
	}
	upload.Wait()
	close(stop)
	watch.Wait()
	t.Logf("%d MB; core %s, plugin %s at most", clients*each*size/1_000_000, harness.MiB(peak["core"]), harness.MiB(peak["plugin"]))
	for of, held := range peak {
		if held == 0 || held > mostHeld {
			t.Errorf("%s held %s", of, harness.MiB(held))
		}
	}
}

// TestBrokenOff: of an upload that was broken off nothing stays, and its sender goes on.
func TestBrokenOff(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		brokenOff(t, dir, "sqlite:chat.db", func() (left []string, err error) {
			err = filepath.WalkDir(filepath.Join(dir, "data", "chat-files"), func(_ string, e os.DirEntry, err error) error {
				if err == nil && e.Type().IsRegular() {
					left = append(left, e.Name())
				}
				return err
			})
			return left, err
		})
	})
	t.Run("database", func(t *testing.T) {
		database := postgrestest.Start(t).Database(t)
		db, err := sql.Open("pgx", database)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		dir := t.TempDir()
		brokenOff(t, dir, database, func() (left []string, err error) {
			var all string
			err = db.QueryRowContext(t.Context(), `SELECT string_agg(file || CASE WHEN whole = 1 THEN '' ELSE '.part' END, ' ') FROM contents`).Scan(&all)
			return strings.Fields(all), err
		})
		if _, err := os.Stat(filepath.Join(dir, "data", "chat-files")); err == nil {
			t.Error("there is a folder of files")
		}
	})
}

func brokenOff(t *testing.T, dir, database string, left func() ([]string, error)) {
	t.Helper()
	b := harness.Start(t, harness.Config{Head: inDataDir(filepath.Join(dir, "data")), File: file(database, "")})
	p := &place{b, b.AddressOf("legacy")}
	alice, bob := p.user(t, "alice"), p.user(t, "bob")
	room := alice.room("r")
	bob.join(room, alice)
	begin := func(c *client) {
		t.Helper()
		c.say(`{"type":24,"room_id":%d,"name":"../../x","size":10,"token":%q}`, room, alice.token)
		c.want(`{"type":27}`)
	}
	begin(alice) // too much
	alice.binary("12345")
	alice.binary("678901")
	alice.refused(104, 24)
	begin(alice) // another meanwhile
	alice.say(`{"type":24,"room_id":%d,"name":"y","size":1}`, room)
	alice.refused(104, 24)
	alice.binary("12345")
	c := p.dial(t) // the connection ends
	begin(c)
	c.binary("12345")
	c.close()
	c = p.dialTCP(t) // too little
	begin(c)
	if _, err := c.tcp.Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	if err := c.tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.ended()
	alice.binary("67890") // and the first goes on
	alice.want(`{"type":17,<any>`)
	alice.want(`{"type":3,"message":"files/<hex>__x",<any>`)
	bob.want(`{"type":17,<any>`)
	bob.want(`{"type":3,<any>`)
	bob.nothing()
	harness.Until(t, harness.AnswerLimit, "one file is left", func() bool {
		list, err := left()
		return err == nil && len(list) == 1 && !strings.HasSuffix(list[0], ".part")
	})
	if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
		t.Error("a client's name is a path")
	}
}
