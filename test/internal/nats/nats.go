// Package nats runs a NATS server that nodes of a cluster meet at.
package nats

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Start starts a server with JetStream in this process, which ends with the test, and returns its URL. Its token
// is [harness.ClusterSecret].
func Start(t testing.TB) (url string) {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		Authorization: harness.ClusterSecret,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	return "nats://" + srv.Addr().String()
}
