package logux_test

import (
	"fmt"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

// A question is written for the back-end, and the response read as it comes.
func Example() {
	codec, err := logux.NewCodec(4, "secret")
	if err != nil {
		panic(err)
	}
	req := &upstream.Request{
		Time: 1560954012838, Number: 1, Session: "42", UserID: "38",
		Purpose: "message", Type: "greet", Payload: []byte(`{"name":"Bridge"}`),
	}
	if err := logux.Check(req); err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", codec.AppendBody(nil, req))

	var x logux.Exchange
	x.Reset(0, func(_ int, a *upstream.Answer) {
		fmt.Printf("%s %v\n", a.Payload, a.Last)
	}, req)
	x.Feed([]byte(`[{"answer":"approved","id":"1560954012838 38:42:bridge 1"},` +
		`{"answer":"action","id":"1560954012838 38:42:bridge 1","action":{"type":"hi","payload":{"n":1}}},`))
	x.Feed([]byte(`{"answer":"processed","id":"1560954012838 38:42:bridge 1"}]`))
	x.End()

	// Output:
	// {"version":4,"secret":"secret","commands":[{"command":"action","action":{"type":"greet","payload":{"name":"Bridge"}},"meta":{"id":"1560954012838 38:42:bridge 1","time":1560954012838},"headers":{}}]}
	// {"n":1} false
	//  true
}
