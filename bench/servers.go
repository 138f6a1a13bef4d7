//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/bench/baseline/gorilla"
	"github.com/protocol-bridge/bridge/bench/baseline/optimised"
	"github.com/protocol-bridge/bridge/bench/load"
)

func runGorilla([]string) error   { return serve(gorilla.Handler()) }
func runOptimised([]string) error { return serve(optimised.Handler()) }

// serve serves on a free port, which it prints, until stdin ends.
func serve(h http.Handler) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	ended := make(chan error, 1)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { ended <- server.Serve(ln) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	return <-ended
}

// runBackend is a Logux back-end that answers at once: every action is approved, answered with its
// own payload, and processed. At / it says what it was asked.
func runBackend([]string) error {
	b := &backend{asked: make(map[string]int)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /logux", b.command)
	mux.HandleFunc("GET /", b.report)
	return serve(mux)
}

// asked says how many requests a back-end was asked, and how many more than once.
type asked struct{ Requests, Doubled int }

type backend struct {
	mu    sync.Mutex // guards asked
	asked map[string]int
}

func (b *backend) command(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if key := load.CTProtoKey(body); key != nil {
		b.mu.Lock()
		b.asked[string(key)]++
		b.mu.Unlock()
	}
	id := between(body, `"meta":{"id":"`, `"`)
	payload := between(body, `"payload":`, `},"meta"`)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `[{"answer":"approved","id":"%s"},{"answer":"action","id":"%s","action":{"type":"bench/said","payload":%s},"meta":{}},{"answer":"processed","id":"%s"}]`,
		id, id, payload, id)
}

func between(b []byte, before, after string) []byte {
	_, b, _ = bytes.Cut(b, []byte(before))
	b, _, _ = bytes.Cut(b, []byte(after))
	return b
}

func (b *backend) report(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := asked{Requests: len(b.asked)}
	for _, n := range b.asked {
		if n > 1 {
			a.Doubled++
		}
	}
	_ = json.NewEncoder(w).Encode(a) // who asks sees what is missing
}

// runLoad runs the spec on stdin and prints the result.
func runLoad([]string) error {
	var s load.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return err
	}
	r, err := load.Run(s)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
