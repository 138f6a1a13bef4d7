//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
)

// expression measures what it takes to find the token in what a client shows: in a small payload, and in
// large ones, of which only the way to it is read.
func (b *bench) expression() (string, error) {
	e, diags := expr.Parse([]byte("payload.token"), "", hcl.InitialPos, []string{"payload"})
	if diags.HasErrors() {
		return "", diags
	}
	var spreads []spread
	for _, filler := range []int{0, 1 << 10, 16 << 10} {
		payload := fmt.Appendf(nil, `{"version":1,"token":"c0ffee-c0ffee-c0ffee","device":{"os":"x","tags":["a","b"]},"text":"all work%s"}`,
			strings.Repeat(" x", filler/2))
		scope := expr.Scope{"payload": expr.JSON(payload)}
		var each []float64
		for range b.rounds {
			const batch = 1000
			n, began := 0, time.Now()
			for time.Since(began) < b.duration()/10 {
				for range batch {
					if _, _, err := e.String(scope); err != nil {
						return "", err
					}
				}
				n += batch
			}
			each = append(each, float64(time.Since(began))/float64(time.Microsecond)/float64(n))
		}
		spreads = append(spreads, spreadOf(each))
	}
	return fmt.Sprintf("**%s µs**; of 1 KiB %s, of 16 KiB %s", spreads[0], spreads[1], spreads[2]), nil
}
