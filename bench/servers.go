//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
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
