//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/bench/load"
)

const kills = 6

// killSeconds is from one kill to the next.
const killSeconds = 1

func killSpec(kind, path string, inFlight int) load.Spec {
	return load.Spec{
		Kind: kind, Path: path, Connections: connections, InFlight: inFlight, Size: 64,
		Warmup: warmup, Measure: (kills + 1) * killSeconds * time.Second, Kills: kills,
	}
}

func (b *bench) killEcho() (string, error) {
	return b.kill(b.core(), echoHCL, killSpec(load.Echo, "/echo", 16))
}

// killCTProto kills a plugin with that attribute in its block, if any.
func killCTProto(attribute string) func(*bench) (string, error) {
	return func(b *bench) (string, error) { return b.killAsking(attribute) }
}

func (b *bench) killAsking(attribute string) (text string, err error) {
	backend, err := start("backend")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, backend.stop()) }()
	const block = "plugin \"ctproto\" {\n"
	hcl := strings.Replace(fmt.Sprintf(proxyHCL, backend.address), block, block+"  "+attribute+"\n", 1)
	spec, core := killSpec(load.CTProto, "/client", 1), b.core()
	core.spare = attribute == standby
	spec.Spare = core.spare
	if text, err = b.kill(core, hcl, spec); err != nil {
		return "", err
	}
	a, err := askedOf(backend)
	if err != nil {
		return "", err
	}
	if a.Doubled > 0 {
		return "", fmt.Errorf("void: the back-end was asked twice for %d of %d requests", a.Doubled, a.Requests)
	}
	return fmt.Sprintf("%s; back-end asked once for each of %d requests", text, a.Requests), nil
}

// askedOf asks a back-end what it was asked.
func askedOf(backend *server) (a asked, err error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+backend.address+"/", nil)
	if err != nil {
		return a, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	return a, json.NewDecoder(response.Body).Decode(&a)
}

// Attributes of a plugin's block.
const (
	mtls    = "mtls = true"
	standby = "standby = true"
)

// kill kills the plugin several times under load.
func (b *bench) kill(core coreOf, hcl string, spec load.Spec) (text string, err error) {
	server, err := core.start(hcl)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	spec.KillChildOf = server.pids[0]
	spec.Watch = server.pids[:1]
	r, err := server.runLoadOn(spec)
	if err != nil {
		return "", err
	}
	if err := b.check("kill", r); err != nil {
		return "", err
	}
	pauses := make([]float64, len(r.Pauses))
	for i, p := range r.Pauses {
		pauses[i] = ms(p)
	}
	s := spreadOf(pauses)
	return fmt.Sprintf("**%.0f ms** (%.0f–%.0f), %.0f without a kill; %d requests at %s, 0 lost, 0 doubled",
		s.median, s.low, s.high, ms(r.Peak), r.Sent, thousands(r.Rate())), nil
}
