//go:build linux

package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is what /proc says of one.
type process struct {
	pid, parent int
	state       byte // 'Z' is a dead one that was not reaped
}

// processes lists all of this machine that can be seen.
func processes() []process {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is a good one
	list := make([]process, 0, len(stats))
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		// The name of the program may hold anything, a bracket too.
		_, rest, ok := bytes.Cut(text[bytes.LastIndexByte(text, ')')+1:], []byte(" "))
		fields := strings.Fields(string(rest))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if !ok || err != nil || len(fields) < 2 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		list = append(list, process{pid, parent, fields[0][0]})
	}
	return list
}

// Stopped says whether a process has been stopped: a signal takes a moment on a busy machine.
func Stopped(pid int) bool {
	for _, p := range processes() {
		if p.pid == pid {
			return p.state == 'T'
		}
	}
	return false
}

// withEnvironment lists live processes in whose environment a variable begins with the value.
func withEnvironment(name, value string) []int {
	var list []int
	for _, p := range processes() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		if err != nil {
			continue
		}
		for entry := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.HasPrefix(entry, []byte(name+"="+value)) {
				list = append(list, p.pid)
				break
			}
		}
	}
	return list
}

// RSS is how much memory of a process is in use, in bytes; 0 when there is no such process.
func RSS(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// MiB is a number of bytes for people.
func MiB(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
