package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
)

func BenchmarkLoguxAsk(b *testing.B) {
	const (
		id     = "1560954012838 38:1234567890123456789:bridge 7"
		answer = `[{"answer":"approved","id":"` + id + `"},{"answer":"action","id":"` + id +
			`","action":{"type":"hello/done","payload":{"n":1}},"meta":{}},{"answer":"processed","id":"` + id + `"}]`
	)
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = io.WriteString(w, answer)
	}))
	defer back.Close()
	benchmarkAsk(b, back.URL, id)
}

// BenchmarkLoguxAskBare has a back-end that costs next to nothing, so that the figure is the caller's.
func BenchmarkLoguxAskBare(b *testing.B) {
	const (
		id     = "1560954012838 38:1234567890123456789:bridge 7"
		answer = `[{"answer":"approved","id":"` + id + `"},{"answer":"action","id":"` + id +
			`","action":{"type":"hello/done","payload":{"n":1}},"meta":{}},{"answer":"processed","id":"` + id + `"}]`
	)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	response := []byte("HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(answer)) + "\r\n\r\n" + answer)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 4096)
				for {
					if _, err := conn.Read(buf); err != nil {
						return
					}
					if _, err := conn.Write(response); err != nil {
						return
					}
				}
			}()
		}
	}()
	benchmarkAsk(b, "http://"+ln.Addr().String()+"/logux", id)
}

func benchmarkAsk(b *testing.B, url, id string) {
	b.Helper()
	pool, err := NewLogux(LoguxConfig{URL: url, Secret: "secret", Timeout: 5 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	_ = id
	req := &upstream.Request{
		ID: "x", Time: 1560954012838, Number: 7, Session: "1234567890123456789", UserID: "38",
		Purpose: "message", Type: "hello", Payload: []byte(`{"text":"hello","n":1}`),
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			pool.Ask(context.Background(), req, func(a *upstream.Answer) {
				if a.Last && a.Outcome != upstream.OK {
					b.Errorf("%v %s", a.Outcome, a.Detail)
				}
			})
		}
	})
}
