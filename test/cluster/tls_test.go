//go:build linux

package cluster

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// certificate is a tls block with a new pair of files.
func certificate(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	harness.WritePair(t, cert, key, 1)
	return fmt.Sprintf("  tls {\n    cert_file = %q\n    key_file  = %q\n  }\n", cert, key)
}

// TestTLS: nodes with one certificate that nobody signed believe each other. One with another, or with none, does
// not come in, although it has the secret, and disturbs nobody; with theirs it does.
func TestTLS(t *testing.T) {
	addresses := harness.FreeAddresses(t, 3)
	shared := certificate(t)
	lines := harness.LinesPlugin("")
	nodes := harness.StartNodes(t,
		lines+harness.ClusterBlock(addresses[0], addresses[:2], shared), lines+harness.ClusterBlock(addresses[1], addresses[:2], shared))
	const each = 2
	all := dial(t, each, nodes...)
	if n := count(t, all[0][0], "two", all); n != 2*each {
		t.Errorf("%d took it, want %d", n, 2*each)
	}

	for what, stranger := range map[string]struct{ tls, why string }{
		"a node with another certificate": {certificate(t), "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"a node without TLS":              {"", "tls: first record does not look like a TLS handshake"},
	} {
		b := harness.Start(t, harness.Config{File: lines + harness.ClusterBlock(addresses[2], addresses, stranger.tls), Starting: true})
		harness.Until(t, harness.AnswerLimit, what+" is refused", func() bool { return strings.Contains(b.Log()+nodes[0].Log(), stranger.why) })
		if log := b.Log(); strings.Contains(log, "joined the cluster") {
			t.Errorf("%s has joined:\n%s", what, log)
		}
		for i, n := range nodes {
			if took := count(t, all[i][0], what, all); took != 2*each || len(n.Nodes()) != 2 {
				t.Errorf("with %s %d took it, and there are the nodes %v", what, took, n.Nodes())
			}
		}
		b.Stop()
	}
	third := harness.Start(t, harness.Config{File: lines + harness.ClusterBlock(addresses[2], addresses, shared)})
	nodes = append(nodes, third)
	harness.AwaitNodes(t, nodes, 3)
	all = append(all, dial(t, each, third)...)
	if n := count(t, all[2][0], "three", all); n != 3*each {
		t.Errorf("%d took it, want %d", n, 3*each)
	}
}
