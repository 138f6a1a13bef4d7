//go:build linux

package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// logLine is a line of the log, as far as stories look into it.
type logLine struct {
	Level    string `json:"level"`
	Msg      string `json:"msg"`
	Plugin   string `json:"plugin"`
	Listener string `json:"listener"`
	Address  string `json:"address"`
	Err      string `json:"err"`
	Mend     string `json:"mend"`
	Change   string `json:"change"`
}

// Command runs a command of the bridge's operator and returns its exit status and what it said.
func (b *Bridge) Command(args ...string) (status int, said string) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), Program("bridge"), append(args, "--config", filepath.Join(b.dir, "bridge.hcl"))...)
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return 0, string(out)
}

// Log is what the bridge has logged so far.
func (b *Bridge) Log() string {
	text, err := os.ReadFile(b.logFile())
	if err != nil {
		b.t.Error(err)
	}
	return string(text)
}

func (b *Bridge) lines() []logLine {
	var list []logLine
	for line := range strings.Lines(b.Log()) {
		var l logLine
		if json.Unmarshal([]byte(line), &l) == nil {
			list = append(list, l)
		}
	}
	return list
}

// Names reports whether a warning or an error in the log names the plugin and holds the text, in its
// message or its error.
func (b *Bridge) Names(plugin, text string) bool {
	for _, l := range b.lines() {
		if (l.Level == "ERROR" || l.Level == "WARN") && l.Plugin == plugin &&
			(strings.Contains(l.Msg, text) || strings.Contains(l.Err, text)) {
			return true
		}
	}
	return false
}

func (b *Bridge) addresses() map[string]string {
	at := make(map[string]string)
	for _, l := range b.lines() {
		if l.Msg == "listening" && l.Address != "" {
			at[l.Listener] = l.Address
		}
	}
	return at
}

var admin = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Ready is the status that /ready answers with, 0 when there was no answer.
func (b *Bridge) Ready() int { return b.get("/ready") }

// get returns the status of a path of the admin address, 0 when there was no answer.
func (b *Bridge) get(path string) int {
	resp, err := admin.Get("http://" + b.addrs["admin"] + path)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// Plugin is an entry of /api/plugins.
type Plugin struct {
	Name     string `json:"name"`
	Pid      int    `json:"pid"`
	State    string `json:"state"`
	Restarts int    `json:"restarts"`
	Sessions int    `json:"sessions"`
	Links    int    `json:"links"`
	Error    string `json:"error"`
	Mend     string `json:"mend"`
}

// Plugin is what /api/plugins says of one; it is the zero Plugin when that cannot be asked.
func (b *Bridge) Plugin(name string) Plugin {
	list, err := b.Plugins()
	if err != nil {
		b.t.Errorf("/api/plugins: %v", err)
	}
	for _, p := range list {
		if p.Name == name {
			return p
		}
	}
	return Plugin{}
}

// Plugins is what /api/plugins says.
func (b *Bridge) Plugins() ([]Plugin, error) {
	resp, err := admin.Get("http://" + b.addrs["admin"] + "/api/plugins")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	var list []Plugin
	return list, json.NewDecoder(resp.Body).Decode(&list)
}
