//go:build linux

package chat

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// heard is what a client heard of a room: the texts in their order, once it is over.
func (c *client) heard(messages int) []string {
	texts := make([]string, 0, messages)
	for len(texts) < messages {
		text, _, err := c.next()
		if err != nil {
			c.t.Errorf("%s heard %d of %d messages: %v", c.login, len(texts), messages, err)
			return texts
		}
		if rest, ok := strings.CutPrefix(text, `{"type":3,"message":"`); ok {
			said, _, _ := strings.Cut(rest, `"`)
			texts = append(texts, said)
		}
	}
	return texts
}

// TestKilledWhileTheyTalk: the plugin is killed again and again while all members of a room talk. Each
// connection lives, and each member hears all messages, once, and in the same order as everybody else.
func TestKilledWhileTheyTalk(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { killedWhileTheyTalk(t, "sqlite:chat.db") })
	t.Run("postgres", func(t *testing.T) { killedWhileTheyTalk(t, postgrestest.Start(t).Database(t)) })
}

func killedWhileTheyTalk(t *testing.T, database string) {
	members, each := harness.Size(50, 10), 20
	p := open(t, database, "")
	clients := make([]*client, members)
	clients[0] = p.user(t, "member")
	room := clients[0].room("r")
	for i := 1; i < members; i++ {
		clients[i] = p.user(t, "member")
		clients[i].join(room, clients[:i]...)
	}
	stop := make(chan struct{})
	var killer, talk sync.WaitGroup
	kills := 0
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(harness.Size(time.Second, 400*time.Millisecond)):
				for _, pid := range p.Children() {
					if syscall.Kill(pid, syscall.SIGKILL) == nil {
						kills++
					}
				}
			}
		}
	})
	heard := make([][]string, members)
	for i, c := range clients {
		talk.Go(func() {
			for n := range each {
				if err := harness.Send(c.ws, fmt.Sprintf(`{"type":3,"room_id":%d,"message":"%d of %d","msg_type":0}`, room, n, i)); err != nil {
					t.Errorf("%s: %v", c.login, err)
					return
				}
				harness.Pause(harness.Size(500*time.Millisecond, 200*time.Millisecond))
			}
		})
		talk.Go(func() { heard[i] = c.heard(members * each) })
	}
	talk.Wait()
	close(stop)
	killer.Wait()
	if restarts, least := p.Plugin("chat").Restarts, harness.Size(8, 2); restarts < least {
		t.Errorf("%d processes were replaced, %d are the least: the story did not take place", restarts, least)
	}
	t.Logf("%d kills", kills)
	for i := range clients {
		if !slices.Equal(heard[i], heard[0]) {
			t.Fatalf("member %d heard\n%q\nand member 0\n%q", i, heard[i], heard[0])
		}
	}
	sorted := slices.Clone(heard[0])
	slices.Sort(sorted)
	if n := len(slices.Compact(sorted)); n != members*each {
		t.Errorf("%d different messages of %d", n, members*each)
	}
	for i := range clients { // of each in the order in which it was said
		n := 0
		for _, text := range heard[0] {
			if strings.HasSuffix(text, fmt.Sprintf(" of %d", i)) {
				if text != fmt.Sprintf("%d of %d", n, i) {
					t.Fatalf("%q came where %d was next", text, n)
				}
				n++
			}
		}
	}
	for _, c := range clients { // nothing came twice
		c.say(`{"type":11,"date":%s}`, far)
		for {
			text := c.line()
			if strings.HasPrefix(text, `{"type":11`) {
				break
			}
			if !strings.HasPrefix(text, `{"type":17`) {
				t.Fatalf("%s heard more: %s", c.login, text)
			}
		}
	}
}

// inDataDir is the beginning of a bridge.hcl with that data_dir.
func inDataDir(dir string) string {
	return fmt.Sprintf("data_dir = %q\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n", dir)
}

// TestCoreKilled: whatever was told to anybody is there after the bridge was killed.
func TestCoreKilled(t *testing.T) {
	cfg := harness.Config{Head: inDataDir(filepath.Join(t.TempDir(), "data")), File: file("sqlite:chat.db", "")}
	b := harness.Start(t, cfg)
	p := &place{b, b.AddressOf("legacy")}
	alice, bob := p.user(t, "alice"), p.user(t, "bob")
	room := alice.room("r")
	bob.join(room, alice)
	var heard []string
	var listens, talks sync.WaitGroup
	listens.Go(func() {
		for {
			text, _, err := bob.next()
			if err != nil {
				return
			}
			if rest, ok := strings.CutPrefix(text, `{"type":3,"message":"`); ok {
				said, _, _ := strings.Cut(rest, `"`)
				heard = append(heard, said)
			}
		}
	})
	talks.Go(func() {
		for n := 0; harness.Send(alice.ws, fmt.Sprintf(`{"type":3,"room_id":%d,"message":"message %d","msg_type":0}`, room, n)) == nil; n++ {
			harness.Pause(time.Millisecond)
		}
	})
	harness.Pause(harness.Size(2*time.Second, 500*time.Millisecond))
	b.Kill()
	listens.Wait()
	_ = alice.ws.Close()
	talks.Wait()
	b.CheckNothingLeft()

	b = harness.Start(t, cfg)
	again := (&place{b, b.AddressOf("legacy")}).dial(t)
	again.say(`{"type":2,"token":%q}`, bob.token)
	again.in(bob.login)
	again.say(`{"type":7,"room_id":%d,"date":0,"count":500}`, room)
	list := again.get()["messages"].([]any)
	if len(heard) == 0 || len(list) < len(heard) {
		t.Fatalf("%d messages were heard, %d are there", len(heard), len(list))
	}
	slices.Reverse(list)
	for i, text := range heard {
		if got := list[i].(map[string]any)["message"]; got != text {
			t.Fatalf("message %d is %v, and was heard as %q", i, got, text)
		}
	}
	t.Logf("%d messages were heard, %d are there", len(heard), len(list))
}

// TestStatement47: the database has neither what clients make of passwords nor a token.
func TestStatement47(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	b := harness.Start(t, harness.Config{Head: inDataDir(dir), File: file("sqlite:chat.db", "")})
	p := &place{b, b.AddressOf("legacy")}
	alice := p.user(t, "alice")
	alice.speak(alice.room("r"), "found here")
	b.Stop()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all = append(all, text...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(all, []byte("found here")) {
		t.Error("what was said is not found: this test does not look where it should")
	}
	for _, secret := range []string{pass, strings.ToUpper(pass), alice.token, alice.token[:64]} {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("%s is in the database", secret)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var hash string
	if err := db.QueryRowContext(t.Context(), `SELECT password FROM users WHERE login = $1`, alice.login).Scan(&hash); err != nil || !strings.HasPrefix(hash, "$argon2id$") {
		t.Errorf("hash %q, %v", hash, err)
	}
}
