//go:build linux

package test

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// legacy is the plugin lines on a listener of lines, with attributes of the listener and of the plugin's
// route besides.
func legacy(listener, limits string) string {
	return fmt.Sprintf("listener \"legacy\" {\n  address = \"127.0.0.1:0\"\n  framing = \"lines\"\n%s}\n"+
		"plugin \"lines\" {\n  command = [%q]\n  route \"/\" {\n    listener = listener.legacy\n    auth = auth.none\n%s  }\n}\n",
		listener, harness.Program("lines"), limits)
}

// TestTCPLines: whatever way lines arrive in, each is a frame; a client that ends its side is still
// answered.
func TestTCPLines(t *testing.T) {
	b := harness.Start(t, harness.Config{File: legacy("", "    limits {\n      max_frame = \"1KiB\"\n    }\n")})
	many := strings.Repeat("ECHO a\nECHO bc\r\n", 100)
	answers := strings.Repeat("a\nbc\n", 100)
	for name, size := range map[string]int{"at once": 1 << 20, "by 5 bytes": 5, "byte by byte": 1} {
		t.Run(name, func(t *testing.T) {
			c := harness.DialTCP(t, b.AddressOf("legacy"))
			for rest := many; rest != ""; {
				n := min(size, len(rest))
				c.Send(rest[:n])
				rest = rest[n:]
			}
			c.Want("hello\n" + answers)
			c.Send("COUNT") // its end is the end of all
			c.EndInput()
			c.WantEnd("201\neof\n")
		})
	}
	t.Run("closed by the plugin", func(t *testing.T) {
		c := harness.DialTCP(t, b.AddressOf("legacy"))
		c.Send("BYTES 5\nCLOSE 4000 bye\n")
		c.WantEnd("hello\nxxxxx")
	})
	t.Run("too long a line", func(t *testing.T) {
		c := harness.DialTCP(t, b.AddressOf("legacy"))
		c.Send("ECHO " + strings.Repeat("x", 1019) + "\n" + strings.Repeat("x", 1025) + "\nECHO never\n")
		c.WantEnd("hello\n" + strings.Repeat("x", 1019) + "\n")
	})
	t.Run("published to", func(t *testing.T) {
		one, two := harness.DialTCP(t, b.AddressOf("legacy")), harness.DialTCP(t, b.AddressOf("legacy"))
		one.Send("SUB lines/a\n")
		one.Want("hello\nOK\n")
		two.Send("PUB lines/a text\n")
		one.Want("lines/a text\n")
	})
}

func randomBytes(seed uint64, n int) []byte {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// TestTCPRawBytes: raw bytes begin and end at exactly the byte that the plugin said, however the client
// sends them, and nothing of them is lost or comes twice while the plugin is killed again and again.
func TestTCPRawBytes(t *testing.T) {
	b := harness.Start(t, harness.Config{File: legacy("", "")})
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		every := time.NewTicker(150 * time.Millisecond)
		defer every.Stop()
		for before := 0; ; {
			select {
			case <-stop:
				return
			case <-every.C:
				p := b.Plugin("lines")
				if p.State == "running" && p.Pid == before { // each has had some time to do something
					_ = syscall.Kill(p.Pid, syscall.SIGKILL)
				}
				before = p.Pid
			}
		}
	})
	t.Run("clients", func(t *testing.T) {
		for i := range 8 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				transfer(t, harness.DialTCP(t, b.AddressOf("legacy")), uint64(i))
			})
		}
	})
	close(stop)
	killer.Wait()
	if b.Plugin("lines").Restarts == 0 {
		t.Error("no process was ever replaced: the story did not take place")
	}
}

// transfer sends raw bytes between lines, and at last without an end.
func transfer(t *testing.T, c *harness.TCP, seed uint64) {
	t.Helper()
	c.Want("hello\n")
	for round := range size(8, 3) {
		data := randomBytes(seed, size(2_000_000, 500_000)+round)
		sent := make(chan error, 1)
		go func() {
			_, err := fmt.Fprintf(c, "ECHO before\nRAW %d\n%sECHO behind\n", len(data), data)
			sent <- err
		}()
		c.Want(fmt.Sprintf("before\nraw %d %08x\nbehind\n", len(data), crc32.ChecksumIEEE(data)))
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	data := randomBytes(seed, 1_000_000)
	c.Send("RAW 0\n" + string(data))
	c.EndInput()
	c.WantEnd(fmt.Sprintf("raw %d %08x\neof\n", len(data), crc32.ChecksumIEEE(data)))
}

// TestTCPSlowReader: a client that does not read its answers is not read, and is answered everything
// once it does; others do not wait.
func TestTCPSlowReader(t *testing.T) {
	b := harness.Start(t, harness.Config{File: legacy("", "")})
	c, other := harness.DialTCP(t, b.AddressOf("legacy")), harness.DialTCP(t, b.AddressOf("legacy"))
	const lines = 300
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, strings.Repeat("BYTES 100000\n", lines))
		sent <- err
	}()
	other.Send(strings.Repeat("ECHO x\n", 100))
	other.Want("hello\n" + strings.Repeat("x\n", 100))
	c.Want("hello\n")
	c.Want(strings.Repeat("x", lines*100_000))
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
