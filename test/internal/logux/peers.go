//go:build linux

package logux

import (
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// RequirePeers skips the test where nothing of npm is installed, see [harness.RequirePackages].
func RequirePeers(t testing.TB) {
	t.Helper()
	harness.RequirePackages(t, ".", "logux-backend-test", "logux-client-4", "logux-client-5", "logux-server-1", "logux-server-2", "logux-server-3", "logux-server-4", "nanostores", "ws")
}

// startScript runs a program of test/logux, where the tests run, until the test ends.
func startScript(t testing.TB, args ...string) *harness.Script {
	t.Helper()
	RequirePeers(t)
	return harness.StartScript(t, args...)
}
