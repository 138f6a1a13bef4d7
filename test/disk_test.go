//go:build linux

package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// requireDisks skips a test where nobody may mount; in CI one may.
func requireDisks(t *testing.T) {
	t.Helper()
	out, err := exec.Command("unshare", "-rm", "true").CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("no disk can be mounted here: %v %s", err, out)
	default:
		t.Skipf("no disk can be mounted here, CI may: %v %s", err, out)
	}
}

// onOwnDisk are the words of a command that runs another one with a small disk of its own at $DISK: so
// many blocks of 4 KiB and so many files.
func onOwnDisk(blocks, files int, before string) []string {
	return []string{"unshare", "-rm", "sh", "-ec", fmt.Sprintf(`mkdir -p "$DISK"
mount -t tmpfs -o size=%dk,nr_inodes=%d none "$DISK"
%s
exec "$@"`, 4*blocks, files, before), "sh"}
}

// writesNothing are the words of one that runs another for which every file is full.
var writesNothing = []string{"sh", "-ec", `ulimit -f 0; exec "$@"`, "sh"}

const fill = `cat /dev/zero >"$DISK/fill" 2>/dev/null || true`

// dataDirAt is the beginning of a bridge.hcl with that data_dir.
func dataDirAt(dir string) string {
	return fmt.Sprintf("data_dir = %q\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n", dir)
}

// A disk that takes no further byte keeps no bridge from serving, and from having its data_dir for
// itself.
func TestDataDirIsFull(t *testing.T) {
	read, log, err := os.Pipe() // its log is no file: that could not be written either
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer log.Close()
	b := harness.Start(t, harness.Config{File: echoFile("", echoRoute("/client", "")), Wrap: writesNothing, Log: log})
	address := ""
	for lines := bufio.NewScanner(read); address == "" && lines.Scan(); {
		var l struct{ Listener, Address string }
		if err := json.Unmarshal(lines.Bytes(), &l); err == nil && l.Listener == "public" {
			address = l.Address
		}
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	ws, err := harness.DialCTProto("ws://" + address + "/client")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	echoes(t, ws)
	if said := must(t, b, "reload"); said != "Nothing has changed.\n" {
		t.Errorf("reload: %s", said)
	}
	if status, said := b.Command("run"); status != 1 || !strings.Contains(said, "bridge: another bridge uses data_dir") {
		t.Errorf("a second one: status %d, %s", status, said)
	}
}

// The same on a disk that is full for everybody; one that takes no further file keeps it from starting,
// and is named.
func TestDiskIsFull(t *testing.T) {
	requireDisks(t)
	disk, err := os.MkdirTemp("", "bridge-disk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(disk) })
	start := func(blocks, files int) *harness.Bridge {
		return harness.Start(t, harness.Config{
			Head: dataDirAt(disk), File: echoFile("", echoRoute("/client", "")), Starting: true,
			Wrap: onOwnDisk(blocks, files, fill), Env: []string{"DISK=" + disk},
		})
	}
	b := start(1, 10)
	ws, err := harness.DialCTProto("ws://" + b.AddressOf("public") + "/client")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	echoes(t, ws)
	for files, want := range map[int]string{ // besides the folder itself and what fills it
		2: "bridge.lock: no space left on device\nMake room on its disk, or choose another data_dir in bridge.hcl.\n",
		3: "bridge.sock: bind: no space left on device\nMake room on that disk.\n",
	} {
		b := start(1, files)
		if status := b.Await(harness.AnswerLimit); status != 1 || !strings.HasSuffix(b.Log(), want) {
			t.Errorf("%d files: status %d, said %q, want %q", files, status, b.Log(), want)
		}
	}
}

// A plugin that dies while there is no place for its successor's socket is started again once there is
// one. Its sessions wait.
func TestNoPlaceForPlugin(t *testing.T) {
	b := harness.Start(t, harness.Config{File: echoFile("", echoRoute("/client", ""))})
	ws := dialCTProto(t, b, "/client")
	echoes(t, ws)
	away := b.Tmp() + "-away"
	if err := os.Rename(b.Tmp(), away); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(b.Plugin("ctproto").Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, harness.AnswerLimit, "the plugin cannot be started", func() bool {
		p := b.Plugin("ctproto")
		return p.State == "failing" && strings.Contains(p.Error, "no such file or directory") && strings.Contains(p.Mend, "TMPDIR")
	})
	if err := harness.Send(ws, `{"messageId":"meanwhile_","type":"t","payload":{}}`); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.RemoveAll(away), os.Mkdir(b.Tmp(), 0o700)} { // what lay there was the dead one's
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, text, err := ws.ReadMessage(); err != nil || string(text) != `{"messageId":"meanwhile_","payload":{}}` {
		t.Errorf("what was asked meanwhile: %s, %v", text, err)
	}
	echoes(t, ws)
}

// Ids rise over a restart, though the clock has gone back by an hour.
func TestClockGoesBackAndRestart(t *testing.T) {
	disk, err := os.MkdirTemp("", "bridge-data")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(disk) })
	session := func() uint64 {
		b := harness.Start(t, harness.Config{Head: dataDirAt(disk), File: echoFile("", echoRoute("/client", ""))})
		dialCTProto(t, b, "/client")
		all, _ := list(t, b)
		if len(all) != 1 {
			t.Fatalf("sessions %+v", all)
		}
		b.Kill() // it has no time to write anything down
		id, err := strconv.ParseUint(all[0].ID, 10, 63)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	last := session()
	// What that one wrote down is an hour ahead of the clock of those to come.
	ahead := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(disk, "bridge.lock"), ahead, ahead); err != nil {
		t.Fatal(err)
	}
	const perMinute = 60_000 << 22
	last += 59 * perMinute
	for range 3 {
		id := session()
		if id <= last {
			t.Errorf("session %d after %d", id, last)
		}
		last = id
	}
}
