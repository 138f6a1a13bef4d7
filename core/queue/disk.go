package queue

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// reserve is what is left free on the disk: a store whose disk is full gives up, also what it has.
	reserve = 16 << 20
	// lookEvery is for how long the size of the disk is believed.
	lookEvery = 20 * time.Millisecond
)

// Room looks after the disk of a folder, for [Config]: nothing more is stored when it is all but full.
func Room(dir string) func() error {
	var mu sync.Mutex
	var looked time.Time
	var full error
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(looked) > lookEvery {
			looked, full = now, nil
			var st unix.Statfs_t
			if err := unix.Statfs(dir, &st); err == nil {
				if free := st.Bavail * uint64(st.Bsize); free < reserve {
					full = unavailable(fmt.Errorf("the disk of %s is full: %d MiB are left, %d are kept free", dir, free>>20, reserve>>20))
				}
			}
		}
		return full
	}
}
