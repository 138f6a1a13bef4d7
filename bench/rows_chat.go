//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/bench/process"
	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
	"github.com/protocol-bridge/bridge/plugins/chat/store"
)

const chatHCL = `
plugin "chat" {
  config {
    database       = %q
    single_session = false
  }
  route "/chat" {
    limits {
      rate = "1000000/s"
    }
  }
}
`

const (
	chatWriters  = 16      // members that speak
	chatInFlight = 4       // messages of each that it has not heard yet
	chatHistory  = 1 << 20 // messages of a long history
	chatReaders  = 16      // who page through it, or log in
)

// chatOn runs a measurement on each database, with its URL and a store of it, and returns what each said.
func chatOn(run func(b *bench, database string, s *store.Store) (string, error)) func(*bench) (string, error) {
	return func(b *bench) (string, error) {
		dir, err := os.MkdirTemp("", "bridge-bench-")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(dir)
		on := func(database string) (text string, err error) {
			s, err := store.Open(context.Background(), database, dir, store.Options{})
			if err != nil {
				return "", err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			return run(b, database, s)
		}
		lite, err := on("sqlite:" + filepath.Join(dir, "chat.db"))
		if err != nil {
			return "", err
		}
		server, err := postgrestest.Run()
		if errors.Is(err, postgrestest.ErrMissing) {
			return "SQLite " + lite + "; PostgreSQL is not installed here", nil
		}
		if err != nil {
			return "", err
		}
		defer server.Close()
		url, err := server.Create(context.Background())
		if err != nil {
			return "", err
		}
		post, err := on(url)
		return "SQLite " + lite + "; PostgreSQL " + post, err
	}
}

// chatMembers makes accounts with tokens, in a room.
func chatMembers(s *store.Store, n int) (room int64, tokens []string, err error) {
	ctx := context.Background()
	for i := range n {
		user, err := s.SubjectUser(ctx, "bench", fmt.Sprintf("member-%d", i))
		if err != nil {
			return 0, nil, err
		}
		if i == 0 {
			made, err := s.CreateRoom(ctx, "bench/room", store.NewRoom{User: user.ID, Name: "bench", Type: store.GlobalRoom})
			if err != nil {
				return 0, nil, err
			}
			room = made.ID
		} else if _, err = s.Join(ctx, fmt.Sprintf("bench/join/%d", i), room, user.ID); err != nil {
			return 0, nil, err
		}
		token, err := s.IssueToken(ctx, fmt.Sprintf("bench/token/%d", i), user.ID)
		if err != nil {
			return 0, nil, err
		}
		tokens = append(tokens, token)
	}
	return room, tokens, nil
}

// chatClient logs in with a token.
func chatClient(address, token string) (*websocket.Conn, error) {
	ws, resp, err := websocket.DefaultDialer.Dial("ws://"+address+"/chat", nil)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	_, err = chatAsk(ws, fmt.Sprintf(`{"type":2,"token":%q}`, token), `{"type":2,`)
	return ws, err
}

// chatAsk says something, and reads up to an answer that begins so.
func chatAsk(ws *websocket.Conn, text, begin string) ([]byte, error) {
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		return nil, err
	}
	for {
		_, data, err := ws.ReadMessage()
		if err != nil || bytes.HasPrefix(data, []byte(begin)) {
			return data, err
		}
		if bytes.HasPrefix(data, []byte(`{"type":9,`)) {
			return nil, fmt.Errorf("%s is refused: %s", text, data)
		}
	}
}

// chatRoom measures how many messages a second are said into a room of so many members, all of whom hear them.
func chatRoom(members int) func(*bench) (string, error) {
	return chatOn(func(b *bench, database string, s *store.Store) (text string, err error) {
		room, tokens, err := chatMembers(s, members)
		if err != nil {
			return "", err
		}
		server, err := b.core().start(fmt.Sprintf(chatHCL, database))
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, server.stop()) }()
		var readers sync.WaitGroup
		var heard, wrong atomic.Int64
		var free []chan struct{}
		conns := make([]*websocket.Conn, 0, members)
		defer readers.Wait()
		defer func() {
			for _, ws := range conns {
				_ = ws.Close()
			}
		}()
		for i, token := range tokens {
			ws, err := chatClient(server.address, token)
			if err != nil {
				return "", err
			}
			conns = append(conns, ws)
			var mine chan struct{}
			if i < chatWriters {
				mine = make(chan struct{}, chatInFlight)
				free = append(free, mine)
			}
			own := fmt.Appendf(nil, `"message":"%d says`, i)
			readers.Go(func() {
				for {
					_, data, err := ws.ReadMessage()
					switch {
					case err != nil:
						return
					case bytes.HasPrefix(data, []byte(`{"type":9,`)):
						wrong.Add(1)
					case !bytes.HasPrefix(data, []byte(`{"type":3,`)):
					case mine != nil && bytes.Contains(data, own):
						<-mine
						fallthrough
					default:
						heard.Add(1)
					}
				}
			})
		}
		stop := make(chan struct{})
		var writers sync.WaitGroup
		for i, mine := range free {
			writers.Go(func() {
				said := fmt.Appendf(nil, `{"type":3,"room_id":%d,"message":"%d says that all work and no play makes a dull boy","msg_type":0}`, room, i)
				for {
					select {
					case mine <- struct{}{}:
					case <-stop:
						return
					}
					if conns[i].WriteMessage(websocket.TextMessage, said) != nil {
						return
					}
				}
			})
		}
		time.Sleep(warmup)
		rates := make([]float64, 0, b.rounds)
		used, err := chatCPU(server)
		total := 0.0
		for range b.rounds {
			before, began := heard.Load(), time.Now()
			time.Sleep(b.duration())
			n := float64(heard.Load()-before) / float64(members)
			total += n
			rates = append(rates, n/time.Since(began).Seconds())
		}
		after, errAfter := chatCPU(server)
		close(stop)
		writers.Wait()
		if err = errors.Join(err, errAfter); err == nil && wrong.Load() > 0 {
			err = fmt.Errorf("%d messages were refused", wrong.Load())
		}
		sp := spreadOf(rates)
		return fmt.Sprintf("**%.0f/s** (%.0f–%.0f), %.0f deliveries/s, %.0f + %.0f µs a message", sp.median, sp.low, sp.high,
			sp.median*float64(members), (after[0]-used[0])/total*1e6, (after[1]-used[1])/total*1e6), err
	})
}

// chatCPU is the processor time of core and plugin, in seconds.
func chatCPU(s *server) (used [2]float64, err error) {
	for i := range used {
		d, err := process.CPU(s.pids[i])
		if err != nil {
			return used, err
		}
		used[i] = d.Seconds()
	}
	return used, nil
}

// chatEach has some clients do something again and again, and says how often a second.
func (b *bench) chatEach(do func(client, n int) error) (spread, error) {
	var done atomic.Int64
	var group sync.WaitGroup
	stop := make(chan struct{})
	errs := make([]error, chatReaders)
	for i := range errs {
		group.Go(func() {
			for n := 0; errs[i] == nil; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if errs[i] = do(i, n); errs[i] == nil {
					done.Add(1)
				}
			}
		})
	}
	rates := make([]float64, 0, b.rounds)
	for range b.rounds {
		before, began := done.Load(), time.Now()
		time.Sleep(b.duration())
		rates = append(rates, float64(done.Load()-before)/time.Since(began).Seconds())
	}
	close(stop)
	group.Wait()
	return spreadOf(rates), errors.Join(errs...)
}

// chatPages measures how many pages of thirty messages a second are read out of a room of a million.
func chatPages(b *bench) (string, error) {
	return chatOn(func(b *bench, database string, s *store.Store) (text string, err error) {
		room, tokens, err := chatMembers(s, chatReaders)
		if err != nil {
			return "", err
		}
		if err := fillHistory(database, room); err != nil {
			return "", err
		}
		server, err := b.core().start(fmt.Sprintf(chatHCL, database))
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, server.stop()) }()
		conns := make([]*websocket.Conn, len(tokens))
		for i, token := range tokens {
			if conns[i], err = chatClient(server.address, token); err != nil {
				return "", err
			}
			defer conns[i].Close()
		}
		rate, err := b.chatEach(func(client, n int) error {
			date := 31 + (client*chatHistory/chatReaders+n*30)%(chatHistory-31)
			page, err := chatAsk(conns[client], fmt.Sprintf(`{"type":10,"room_id":%d,"date":%d,"count":30}`, room, date), `{"type":10,`)
			if n := bytes.Count(page, []byte(`"message_id"`)); err == nil && n != 60 { // it has them twice
				err = fmt.Errorf("a page before %d has %d messages: %s", date, n/2, page)
			}
			return err
		})
		return fmt.Sprintf("**%.0f/s** (%.0f–%.0f)", rate.median, rate.low, rate.high), err
	})(b)
}

// fillHistory gives a room its history, without its being said.
func fillHistory(database string, room int64) (err error) {
	driver, path := "pgx", database
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, path = "sqlite", file
	}
	db, err := sql.Open(driver, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, query := range []string{
		`INSERT INTO messages (room_id, user_id, date, text, search, type, power)
			WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < %[2]d)
			SELECT CAST(%[1]d AS BIGINT), 1, n, 'Some text of a message', 'some text of a message', 0, 1 FROM series`,
		`UPDATE rooms SET last_date = %[2]d WHERE id = %[1]d`,
		`ANALYZE`,
	} {
		if strings.Contains(query, "%") {
			query = fmt.Sprintf(query, room, chatHistory)
		}
		if _, err := db.ExecContext(context.Background(), query); err != nil {
			return err
		}
	}
	return nil
}

// chatLogIns measures how many log-ins with a password there are a second.
func chatLogIns(b *bench) (string, error) {
	return chatOn(func(b *bench, database string, s *store.Store) (text string, err error) {
		sum := sha256.Sum256([]byte("password"))
		pass := hex.EncodeToString(sum[:])
		for i := range chatReaders {
			account := store.Account{Login: fmt.Sprintf("user-%d", i), Pass: pass}
			if _, err := s.SignUp(context.Background(), "bench/"+account.Login, account); err != nil {
				return "", err
			}
		}
		server, err := b.core().start(fmt.Sprintf(chatHCL, database))
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, server.stop()) }()
		rate, err := b.chatEach(func(client, _ int) error {
			ws, resp, err := websocket.DefaultDialer.Dial("ws://"+server.address+"/chat", nil)
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
			_, err = chatAsk(ws, fmt.Sprintf(`{"type":0,"login":"user-%d","pass":%q}`, client, pass), `{"type":2,`)
			return errors.Join(err, ws.Close())
		})
		return fmt.Sprintf("**%.0f/s** (%.0f–%.0f)", rate.median, rate.low, rate.high), err
	})(b)
}
