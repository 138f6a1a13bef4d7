package queue

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
)

// BenchmarkPush measures how many pushes of 256 bytes a second are confirmed, with so many on their way.
func BenchmarkPush(b *testing.B) {
	for _, mode := range []string{"always", "interval"} {
		for _, ahead := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("%s/ahead=%d", mode, ahead), func(b *testing.B) {
				n := start(b, b.TempDir(), mode, Config{})
				v := n.With(Options{Size: 1 << 30})
				fill(b, v, b.N, ahead)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
			})
		}
	}
}

func fill(b *testing.B, v *View, n, ahead int) {
	b.Helper()
	data := make([]byte, 256)
	places := make(chan struct{}, ahead)
	var wg sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		wg.Add(1)
		v.Push("t", strconv.Itoa(i), data, func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-places
			wg.Done()
		})
	}
	wg.Wait()
}

// BenchmarkPop measures how many entries a second one consumer settles.
func BenchmarkPop(b *testing.B) {
	for _, mode := range []string{"always", "interval"} {
		b.Run(mode, func(b *testing.B) {
			n := start(b, b.TempDir(), mode, Config{})
			v := n.With(Options{Size: 1 << 30})
			fill(b, v, b.N, 1024)
			b.ResetTimer()
			var wg sync.WaitGroup
			wg.Add(b.N)
			c := v.Consume(1, "t", 256, func(e *Entry) {
				e.Settle()
				wg.Done()
			})
			wg.Wait()
			c.Stop()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pops/s")
		})
	}
}
