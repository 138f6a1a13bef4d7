package core

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/config"
)

// A listener that a reload takes away is forgotten when its last connection is over, however often that
// happens.
func TestRetiredListeners(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bridge.hcl")
	write := func(more int) {
		text := "data_dir = \"data\"\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n}\n"
		for i := range more {
			text += fmt.Sprintf("listener \"more%d\" {\n  address = \"127.0.0.1:0\"\n}\n", i)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	cfg, diags := config.Load(file)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	b, err := newBridge(cfg, Options{Logger: slog.New(slog.DiscardHandler)})
	defer b.stop()
	if err == nil {
		err = b.start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, more := range []int{2, 0} {
			write(more)
			if _, err := b.reload(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	retired := func() int {
		b.routesMu.Lock()
		defer b.routesMu.Unlock()
		return len(b.retired)
	}
	for deadline := time.Now().Add(10 * time.Second); retired() > 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d listeners are remembered", retired())
		}
	}
}
