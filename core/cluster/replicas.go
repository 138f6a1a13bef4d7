package cluster

import (
	"context"
	"strings"
)

// ours begin the names of the streams that Bridge makes.
var ours = []string{"KV_bridge-", "BRIDGE_QUEUE_"}

// raiseReplicas gives streams the copies that they could not have when they were made, as too few servers
// were there. One node of the cluster does.
func (c *Cluster) raiseReplicas() {
	others := c.Others()
	want := c.replicas()
	if want == 1 || len(others) > 0 && others[0].Node < c.Node() {
		return
	}
	ctx, cancel := context.WithTimeout(c.ctx, 2*storeWithin)
	defer cancel()
	js := c.cfg.Broker.JetStream()
	list := js.ListStreams(ctx)
	for info := range list.Info() {
		cfg := info.Config
		if cfg.Replicas >= want || !strings.HasPrefix(cfg.Name, ours[0]) && !strings.HasPrefix(cfg.Name, ours[1]) {
			continue
		}
		cfg.Replicas = want
		if _, err := js.UpdateStream(ctx, cfg); err != nil {
			c.log.Debug("there are too few copies yet", "stream", cfg.Name, "err", err)
			return // the next renewal is soon
		}
		c.log.Info("there are more copies", "stream", cfg.Name, "replicas", want)
	}
}
