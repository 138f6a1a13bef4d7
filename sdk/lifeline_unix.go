//go:build unix

package sdk

import (
	"os"
	"strconv"
	"syscall"

	"github.com/protocol-bridge/bridge/proto/handshake"
)

// followLifeline ends the process when the core is gone, however it went: the core holds the other
// end of a pipe.
func (p *process) followLifeline() {
	fd, err := strconv.Atoi(os.Getenv(handshake.LifelineFD))
	if err != nil || fd < 3 {
		return
	}
	syscall.CloseOnExec(fd) // what the plugin starts is not to hold it open
	_ = os.Unsetenv(handshake.LifelineFD)
	pipe := os.NewFile(uintptr(fd), "lifeline")
	if pipe == nil {
		return
	}
	go func() {
		b := make([]byte, 1)
		for {
			if _, err := pipe.Read(b); err != nil {
				p.exit()
			}
		}
	}()
}
