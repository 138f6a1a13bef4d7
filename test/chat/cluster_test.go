//go:build linux

package chat

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/nats"
)

// nodes starts so many of a cluster with one database.
func nodes(t *testing.T, n int) []*place {
	t.Helper()
	cluster := harness.ClusterBlockAt(nats.Start(t), "")
	database := postgrestest.Start(t).Database(t)
	bridges := make([]*harness.Bridge, n)
	list := make([]*place, n)
	for i := range list {
		b := harness.Start(t, harness.Config{File: file(database, "") + cluster})
		bridges[i], list[i] = b, &place{b, b.AddressOf("legacy")}
	}
	harness.AwaitNodes(t, bridges, n)
	return list
}

// TestStatement21: members at different nodes hear each other, each of them everything once and in one order; a
// login is online at one node, and who is banned at another hears nothing more.
func TestStatement21(t *testing.T) {
	places := nodes(t, 2)
	alice, bob := places[0].user(t, "alice"), places[1].user(t, "bob")
	room := alice.room("r")
	bob.join(room, alice)
	alice.speak(room, "from here", bob)
	bob.speak(room, "from there", alice)

	twice := places[1].dial(t)
	twice.say(`{"type":0,"login":%q,"pass":%q}`, alice.login, pass)
	twice.want(`{"type":9,"error_code":2,"msg":"User already authorized"}`)

	clients := []*client{alice, bob}
	for i := range 4 {
		c := places[i%2].user(t, "member")
		c.join(room, clients...)
		clients = append(clients, c)
	}
	const each = 20
	heard := make([][]string, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			for n := range each {
				if err := harness.Send(c.ws, fmt.Sprintf(`{"type":3,"room_id":%d,"message":"%d of %d","msg_type":0}`, room, n, i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		all.Go(func() { heard[i] = c.heard(each * len(clients)) })
	}
	all.Wait()
	for i := range heard {
		if !slices.Equal(heard[i], heard[0]) {
			t.Fatalf("%d heard\n%q\nand 0\n%q", i, heard[i], heard[0])
		}
	}
	alice.say(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
	bob.until(`{"type":13,`)
	clients[3].until(`{"type":22,`)
	alice.say(`{"type":3,"room_id":%d,"message":"without bob","msg_type":0}`, room)
	clients[3].until(`{"type":3,"message":"without bob"`)
	bob.nothing()
}

// TestNodeKilled: two nodes with one database. The plugin is killed again and again, and in the end a node, while
// members at both talk. Those at the other hear everything that was committed, once and in one order.
func TestNodeKilled(t *testing.T) {
	places := nodes(t, 2)
	owner := places[0].user(t, "owner")
	room := owner.room("r")
	clients := []*client{owner}
	const most = 40 // of what one says who is not cut off
	for i := 1; i < 8; i++ {
		c := places[i%2].user(t, "member")
		c.join(room, clients...)
		clients = append(clients, c)
	}
	heard := make([][]string, len(clients)) // of those at the node that stays, which have odd numbers
	var listens, talks, kills sync.WaitGroup
	for i, c := range clients {
		listens.Go(func() { heard[i] = c.heardUntil("the end") })
		talks.Go(func() {
			for n := 0; n < most || i%2 == 0; n++ { // those at the other talk until it is killed
				if harness.Send(c.ws, fmt.Sprintf(`{"type":3,"room_id":%d,"message":"%d of %d","msg_type":0}`, room, n, i)) != nil {
					return
				}
				harness.Pause(60 * time.Millisecond)
			}
		})
	}
	kills.Go(func() {
		for range 3 {
			harness.Pause(700 * time.Millisecond)
			for _, p := range places {
				for _, pid := range p.Children() {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		harness.Pause(300 * time.Millisecond)
		places[0].Kill()
		for i := 0; i < len(clients); i += 2 {
			_ = clients[i].ws.Close()
		}
	})
	kills.Wait()
	talks.Wait()
	// What the dead node committed and did not tell is told by then, or at the latest before this.
	harness.Pause(unnoted)
	last := places[1].user(t, "last")
	last.say(`{"type":14,"room_id":%d}`, room)
	last.until(`{"type":21,`)
	// What those at the other said to the last is stored before this too.
	harness.Until(t, harness.AnswerLimit, "all that was said at the other node is stored", func() bool {
		stored := last.history(room)
		for i := 1; i < len(clients); i += 2 {
			if !slices.Contains(stored, fmt.Sprintf("%d of %d", most-1, i)) {
				return false
			}
		}
		return true
	})
	last.say(`{"type":3,"room_id":%d,"message":"the end","msg_type":0}`, room)
	last.until(`{"type":3,"message":"the end"`)
	listens.Wait()

	stored := last.history(room)
	for i := 1; i < len(clients); i += 2 {
		if !slices.Equal(heard[i], stored) {
			var missing []string
			for at, m := range stored {
				if !slices.Contains(heard[i], m) {
					missing = append(missing, fmt.Sprintf("%s at %d", m, at))
				}
			}
			t.Fatalf("%d heard %d messages of %d, not %q, or in another order:\n%q\n%q", i, len(heard[i]), len(stored), missing, heard[i], stored)
		}
	}
	t.Logf("%d messages", len(stored))
}

// TestFilesOfNodes: what is uploaded at a node is downloaded at the other, also when the first is dead.
func TestFilesOfNodes(t *testing.T) {
	places := nodes(t, 2)
	alice, bob := places[0].user(t, "alice"), places[1].user(t, "bob")
	room := alice.room("r")
	bob.join(room, alice)
	numbers := make([]byte, 0, 700_000)
	for n := 0; len(numbers) < 600_000; n++ {
		numbers = fmt.Appendf(numbers, "%d,", n)
	}
	data := string(numbers)
	same := func(c *client, message int64) {
		t.Helper()
		if got := c.download(room, message); got != data {
			t.Fatalf("%d other bytes came, of %d", len(got), len(data))
		}
	}
	here := number(alice.upload(room, "here", data, bob)["message_id"])
	there := number(bob.upload(room, "there", data, alice)["message_id"])
	same(alice, there)
	same(bob, here)
	alice.say(`{"type":24,"name":"half","size":%d,"room_id":%d}`, len(data), room)
	alice.want(`{"type":27}`)
	alice.binary(data[:len(data)/2])
	alice.nothing() // it is kept
	places[0].Kill()
	same(bob, here)
	same(bob, there)
	same(bob, number(bob.upload(room, "then", data)["message_id"]))
	bob.nothing()
}

// heardUntil are the texts that a client hears up to that one, or to its end.
func (c *client) heardUntil(end string) (texts []string) {
	for {
		text, _, err := c.next()
		if err != nil {
			return texts
		}
		if rest, ok := strings.CutPrefix(text, `{"type":3,"message":"`); ok {
			said, _, _ := strings.Cut(rest, `"`)
			if texts = append(texts, said); said == end {
				return texts
			}
		}
	}
}

// history reads all that is stored of a room, the oldest first.
func (c *client) history(room int64) (texts []string) {
	c.t.Helper()
	for date := far; date != ""; {
		c.say(`{"type":10,"room_id":%d,"date":%s,"count":500}`, room, date)
		date = c.page(&texts)
	}
	slices.Reverse(texts)
	return texts
}

// page reads the answer to RQ_OLD_MSGS; it adds the texts, and returns the date of the oldest, "" where none is.
func (c *client) page(texts *[]string) (date string) {
	c.t.Helper()
	for {
		m := c.get()
		if number(m["type"]) != 10 {
			continue
		}
		for _, e := range m["messages"].([]any) {
			said := e.(map[string]any)
			*texts = append(*texts, fmt.Sprint(said["message"]))
			date = fmt.Sprint(said["date"])
		}
		return date
	}
}
