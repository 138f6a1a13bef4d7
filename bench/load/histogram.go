//go:build linux

package load

import (
	"math/bits"
	"time"
)

// histogram counts durations, to less than a hundredth.
type histogram struct {
	counts [64 * subBuckets]uint64
	total  uint64
	max    time.Duration
}

const (
	subBits    = 7
	subBuckets = 1 << subBits
)

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.max = max(h.max, d)
	h.counts[bucket(uint64(d))]++
	h.total++
}

func bucket(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return shift*subBuckets + int(v>>shift)
}

// at is the duration below which that part of all lie.
func (h *histogram) at(part float64) time.Duration {
	rank := uint64(part * float64(h.total))
	for i, n := range h.counts {
		if rank < n {
			return lower(i)
		}
		rank -= min(rank, n)
	}
	return h.max
}

// lower is the least duration of a bucket.
func lower(i int) time.Duration {
	if i < 2*subBuckets {
		return time.Duration(i)
	}
	shift := i/subBuckets - 1
	return time.Duration((i - shift*subBuckets) << shift)
}
