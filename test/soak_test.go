//go:build linux

package test

import (
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/bench/soak"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Whatever clients do for a while, and whatever happens to plugins and configuration meanwhile, each
// question is answered once, sessions that stay are not closed, and when all have gone nothing of theirs
// is left: neither a goroutine nor a descriptor nor memory. `go run ./bench -soak 30m` does the same for
// longer.
func TestSoak(t *testing.T) {
	cfg := soak.Short()
	cfg.Bridge, cfg.Lines, cfg.Log = harness.Program("bridge"), []string{harness.Program("lines")}, t.Logf
	cfg.Warmup, cfg.Duration, cfg.Sessions = size(cfg.Warmup, time.Second), size(cfg.Duration, 2*time.Second), size(cfg.Sessions, 300)
	report, err := soak.Run(t.Context(), cfg)
	if err != nil {
		t.Error(err)
	}
	if report == nil {
		return
	}
	t.Logf("\n%v", report)
	if err := report.AtRest(); err != nil {
		t.Error(err)
	}
}
