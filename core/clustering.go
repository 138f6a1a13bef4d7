package core

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"time"

	"github.com/protocol-bridge/bridge/core/broker"
	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/config"
)

// startCluster makes this node one of a cluster, where there is a block for that. It waits for the others.
func (b *bridge) startCluster(ctx context.Context) error {
	cc := b.cfg.Cluster
	if cc == nil {
		return nil
	}
	identity, err := b.data.identity()
	if err != nil {
		return err
	}
	between, err := clusterTLS(cc)
	if err != nil {
		return err
	}
	b.broker, err = broker.Start(ctx, broker.Config{
		Dir: b.queues.dir, Sync: syncMode(false), Logger: b.log,
		Cluster: &broker.ClusterConfig{
			Name: cc.Name, ServerName: identity, Listen: cc.Listen, Advertise: cc.Advertise, Routes: cc.Routes,
			Secrets: cc.Secrets, TLS: between, Servers: cc.Servers,
		},
	})
	if err != nil {
		return err
	}
	b.queues.share(b.broker, cc.Replicas)
	c, err := cluster.Join(ctx, cluster.Config{
		Broker: b.broker, Name: cc.Name, Node: cc.Node, Identity: identity, Replicas: cc.Replicas,
		Host: hostName(), Version: b.opt.Version, Logger: b.log, Newest: b.newestIDs,
	})
	if err != nil {
		return err
	}
	b.registry.MustRegister(cluster.Collector{Cluster: c})
	b.cluster = c
	b.engine.Join(c)
	b.log.Info("joined the cluster", "cluster", cc.Name, "node", c.Node())
	return nil
}

func hostName() string {
	name, _ := os.Hostname() // it is for people
	return name
}

// serveCluster begins to do what other nodes ask for.
func (b *bridge) serveCluster() error {
	if b.cluster == nil {
		return nil
	}
	return b.cluster.Serve(b.engine.nodes())
}

// leaveTimeout is how long a node may take to leave a cluster.
const leaveTimeout = 10 * time.Second

// leaveCluster lets the other nodes know, when all plugins have ended.
func (b *bridge) leaveCluster() {
	if b.cluster == nil {
		return
	}
	letGo, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	b.engine.nodes().names.end(letGo)
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := b.cluster.Close(ctx); err != nil {
		b.log.Warn("the cluster does not know that this node has left", "err", err)
	}
}

// stopBroker ends the cluster's servers, when nothing uses them any more.
func (b *bridge) stopBroker() {
	if b.broker == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := b.broker.Close(ctx); err != nil {
		b.log.Warn("NATS does not end", "err", err)
	}
}

// clusterTLS is what nodes show each other and believe; nil: nothing is encrypted. A certificate that no
// authority signed is believed where it is in the same file on all nodes.
func clusterTLS(cc *config.Cluster) (*tls.Config, error) {
	if cc.TLS == nil {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cc.TLS.CertFile, cc.TLS.KeyFile)
	if err != nil {
		return nil, &CertificateError{"", cc.TLS.CertFile, cc.TLS.KeyFile, err}
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // of a machine that has none
	}
	for _, der := range pair.Certificate {
		if c, err := x509.ParseCertificate(der); err == nil {
			roots.AddCert(c)
		}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: roots}, nil
}

// clusterReasons are why a node of a cluster is not ready.
func (b *bridge) clusterReasons() []string {
	if b.clustered && b.engine.nodes() == nil {
		return []string{"waiting for other nodes of the cluster"}
	}
	if err := b.engine.lost(); err != nil {
		return []string{"this node has lost its number in the cluster: " + err.Error()}
	}
	return nil
}

// isAsked says whether a start failed because it was asked to end.
func isAsked(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}
