//go:build linux

package queue

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Whatever a process had confirmed when it was killed is there, once and in order.
func TestKilledWhilePushing(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		dir := filepath.Join(dir, strconv.Itoa(round))
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir, childTask+"=push")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		confirmed, wanted := 0, 200+150*round
		for lines := bufio.NewScanner(out); lines.Scan(); {
			n, err := strconv.Atoi(lines.Text())
			if err != nil || n != confirmed {
				t.Fatalf("line %q after %d", lines.Text(), confirmed)
			}
			if confirmed++; confirmed == wanted {
				_ = cmd.Process.Kill() // what it still says is read
			}
		}
		if err := cmd.Wait(); err == nil || confirmed < wanted {
			t.Fatalf("it ended by itself after %d: %v", confirmed, err)
		}
		n := start(t, dir, "always", Config{})
		here := depth(t, n, "t")
		if here < confirmed {
			t.Errorf("%d entries of %d confirmed are there", here, confirmed)
		}
		k := take(n.With(Options{Size: 1 << 30}), "t", 256, func(e *Entry) { e.Settle() })
		equal(t, "entries", k.await(t, here), numbers(0, here))
		t.Logf("killed after %d, %d are there", confirmed, here)
		n.end(t)
	}
}

// A disk that is full refuses pushes with a clear error, loses nothing that was confirmed, and takes more
// once there is room.
func TestDiskIsFull(t *testing.T) {
	if out, err := exec.Command("unshare", "-rm", "true").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no disk can be mounted here: %v %s", err, out)
		}
		t.Skipf("no disk can be mounted here, CI may: %v %s", err, out)
	}
	for _, task := range []string{"fill", "overfill"} {
		t.Run(task, func(t *testing.T) {
			disk := t.TempDir()
			cmd := exec.Command("unshare", "-rm", "sh", "-ec", `mount -t tmpfs -o size=48m none "$DISK"; exec "$@"`, "sh", os.Args[0])
			cmd.Env = append(os.Environ(), "DISK="+disk, childDir+"="+disk, childTask+"="+task)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// overfillDisk is what happens where the disk is full before anybody notices: the server stores no more until
// it is started anew, and loses nothing.
func overfillDisk(disk string) error {
	dir := filepath.Join(disk, "queue")
	n, err := startNode(dir, "always", Config{})
	if err != nil {
		return err
	}
	v := n.With(Options{Size: 1 << 30})
	confirmed, number := 0, 0
	push := func() error {
		done := make(chan error, 1)
		number++
		v.Push("t", strconv.Itoa(number), fmt.Appendf(make([]byte, 0, 64<<10), "%65536d", number), func(err error) { done <- err })
		select {
		case err := <-done:
			return err
		case <-time.After(2 * confirmTimeout):
			return errors.New("nobody says how it ended")
		}
	}
	for err = push(); err == nil; err = push() {
		confirmed++
	}
	if !errors.Is(err, ErrUnavailable) || confirmed < 100 {
		return fmt.Errorf("a full disk, after %d: %w", confirmed, err)
	}
	for range 3 {
		if err := push(); !errors.Is(err, ErrUnavailable) {
			return fmt.Errorf("after that: %w", err)
		}
	}
	if err := n.stop(); err != nil {
		return err
	}
	if n, err = startNode(dir, "always", Config{Alone: true}); err != nil {
		return fmt.Errorf("start on a full disk: %w", err)
	}
	v = n.With(Options{Size: 1 << 30})
	came := make(chan string, 1<<12)
	v.Consume(1, "t", 16, func(e *Entry) { e.Settle(); came <- strings.TrimSpace(string(e.Data)) })
	for i := range confirmed {
		select {
		case text := <-came:
			if text != strconv.Itoa(i+1) {
				return fmt.Errorf("entry %s in place of %d", text, i+1)
			}
		case <-time.After(20 * time.Second):
			return fmt.Errorf("%d of %d confirmed entries", i, confirmed)
		}
	}
	if err := push(); err != nil {
		return fmt.Errorf("there is room again: %w", err)
	}
	return n.stop()
}

// fillDisk is what happens on the small disk.
func fillDisk(disk string) error {
	dir := filepath.Join(disk, "queue")
	n, err := startNode(dir, "always", Config{})
	if err != nil {
		return err
	}
	n.cfg.Room = Room(dir)
	v := n.With(Options{Size: 1 << 30})
	var confirmed atomic.Int64
	number := 0
	fill := func(most int) error {
		var refusal error
		var mu sync.Mutex
		for i := 0; i < most && refusal == nil; i += 16 {
			var wg sync.WaitGroup
			for range 16 {
				wg.Add(1)
				number++
				v.Push("t", strconv.Itoa(number), make([]byte, 64<<10), func(err error) {
					defer wg.Done()
					if err == nil {
						confirmed.Add(1)
						return
					}
					mu.Lock()
					refusal = err
					mu.Unlock()
				})
			}
			wg.Wait()
		}
		return refusal
	}
	if err := fill(4000); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "full") {
		return fmt.Errorf("a full disk: %w", err)
	}
	before := confirmed.Load()
	if before < 100 {
		return fmt.Errorf("%d entries on 48 MiB", before)
	}
	// Another one fills what is left: the store is not to give up what it has.
	other, err := os.Create(filepath.Join(disk, "other"))
	if err != nil {
		return err
	}
	for free(disk) > 2<<20 && err == nil {
		_, err = other.Write(make([]byte, 1<<20))
	}
	if err := errors.Join(err, other.Close()); err != nil {
		return err
	}
	if err := fill(16); !errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("a disk that another one filled: %w", err)
	}
	if err := n.stop(); err != nil {
		return err
	}
	if n, err = startNode(dir, "always", Config{}); err != nil {
		return fmt.Errorf("start on a full disk: %w", err)
	}
	n.cfg.Room = Room(dir)
	v = n.With(Options{Size: 1 << 30})
	if err := os.Remove(filepath.Join(disk, "other")); err != nil {
		return err
	}
	came := make(chan struct{}, 1<<20)
	c := v.Consume(1, "t", 16, func(e *Entry) { e.Settle(); came <- struct{}{} })
	for i := range before {
		select {
		case <-came:
		case <-time.After(20 * time.Second):
			return fmt.Errorf("%d of %d confirmed entries", i, before)
		}
	}
	c.Stop()
	time.Sleep(2 * lookEvery)
	deadline := time.Now().Add(20 * time.Second)
	for err = fill(16); err != nil && time.Now().Before(deadline); err = fill(16) {
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("there is room again: %w", err)
	}
	return n.stop()
}

// free is how many bytes of a disk are.
func free(disk string) uint64 {
	var st unix.Statfs_t
	if err := unix.Statfs(disk, &st); err != nil {
		return 0
	}
	return st.Bavail * uint64(st.Bsize)
}
