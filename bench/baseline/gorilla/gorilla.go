// Package gorilla is the server that one writes first: gorilla over net/http, a goroutine a
// connection, a read and a write a message. It is frozen: what Bridge is compared with must not move.
package gorilla

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// Handler serves /echo, which sends back what it gets, and /fanout, where a frame that begins with
// "+" subscribes and is sent back, and any other goes to all who subscribed.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", echo)
	mux.Handle("/fanout", &fanout{members: make(map[*websocket.Conn]bool)})
	return mux
}

var upgrader websocket.Upgrader

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		kind, data, err := c.ReadMessage()
		if err != nil {
			return
		}
		if c.WriteMessage(kind, data) != nil {
			return
		}
	}
}

// fanout is a set of connections and the loop over it.
type fanout struct {
	mu      sync.Mutex // guards members and their writes
	members map[*websocket.Conn]bool
}

func (f *fanout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() {
		f.mu.Lock()
		delete(f.members, c)
		f.mu.Unlock()
		_ = c.Close()
	}()
	for {
		kind, data, err := c.ReadMessage()
		if err != nil {
			return
		}
		f.mu.Lock()
		if len(data) > 0 && data[0] == '+' {
			f.members[c] = true
			_ = c.WriteMessage(kind, data)
		} else {
			for m := range f.members {
				_ = m.WriteMessage(kind, data) // who has gone is found by its own reader
			}
		}
		f.mu.Unlock()
	}
}
