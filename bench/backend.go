//go:build linux

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/bench/load"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// backendSecret is what back-ends and who asks them share; nobody compares it.
const backendSecret = "only-for-measuring"

// runBackend is a Logux back-end of version 4: every client is authenticated, every action approved,
// answered, and processed. The answer is an action with its own payload, or, with -resend, a channel that
// the action is to go to. At / it says what it was asked.
func runBackend(args []string) error {
	b := &backend{asked: make(map[string]int)}
	flags := flag.NewFlagSet("backend", flag.ContinueOnError)
	flags.DurationVar(&b.delay, "delay", 0, "how long each request takes")
	flags.BoolVar(&b.resend, "resend", false, "answer with a channel")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	ended := make(chan error, 1)
	if b.delay > 0 {
		server := &fasthttp.Server{Handler: b.serve, NoDefaultServerHeader: true, NoDefaultDate: true}
		go func() { ended <- server.Serve(ln) }()
	} else {
		go func() { ended <- b.serveAll(ln) }()
	}
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	return <-ended
}

// asked says how many requests a back-end was asked, and how many more than once.
type asked struct{ Requests, Doubled int }

type backend struct {
	delay  time.Duration
	resend bool

	scratch []byte // of the one that answers

	mu    sync.Mutex // guards asked
	asked map[string]int
}

func (b *backend) serve(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("application/json")
	if !ctx.IsPost() {
		b.report(ctx)
		return
	}
	if b.delay > 0 {
		time.Sleep(b.delay)
	}
	out, err := b.answer(nil, ctx.PostBody())
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	ctx.Response.SetBodyRaw(out)
}

// answer appends what is answered to a request.
func (b *backend) answer(out, body []byte) ([]byte, error) {
	if key := load.CTProtoKey(body); key != nil {
		b.mu.Lock()
		b.asked[string(key)]++
		b.mu.Unlock()
	}
	e, err := logux.DecodeEnvelope(body)
	if err != nil {
		return out, err
	}
	out = append(out, '[')
	for i, raw := range e.Commands {
		if i > 0 {
			out = append(out, ',')
		}
		out = b.appendAnswers(out, raw)
	}
	return append(out, ']'), nil
}

func (b *backend) appendAnswers(out, raw []byte) []byte {
	c := logux.DecodeCommand(raw)
	add := func(a logux.Answer) {
		a.ID = c.ID()
		out = logux.AppendAnswer(out, logux.MaxVersion, &a, c.IsAuth())
	}
	if c.IsAuth() {
		add(logux.Answer{Kind: logux.Authenticated, Subprotocol: "1.0.0"})
		return out
	}
	typ, _, _ := logux.ActionParts(c.Action)
	subscribes := rawjson.Equal(typ, "logux/subscribe")
	if b.resend && !subscribes {
		add(logux.Answer{Kind: logux.Resend, To: logux.Addressees{Channels: []string{load.LoguxChannel}}})
		out = append(out, ',')
	}
	add(logux.Answer{Kind: logux.Approved})
	out = append(out, ',')
	if !b.resend && !subscribes {
		action := append(append([]byte(`{"type":"bench/said","payload":`), payloadOf(c.Action)...), '}')
		add(logux.Answer{Kind: logux.Action, Action: action, Meta: []byte("{}")})
		out = append(out, ',')
	}
	add(logux.Answer{Kind: logux.Processed})
	return out
}

func payloadOf(action []byte) []byte {
	for key, value := range rawjson.Members(action) {
		if rawjson.Equal(key, "payload") {
			return value
		}
	}
	return []byte("null")
}

func (b *backend) report(w io.Writer) {
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
