//go:build linux

package mesh

import (
	"regexp"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Statement 38: every name is there before any traffic, and counts afterwards.
func TestStatement38Metrics(t *testing.T) {
	b := harness.Start(t, config("connmix_metrics = true", ""))
	want := func(list ...string) {
		t.Helper()
		page := metrics(t, b)
		for _, line := range list {
			if !regexp.MustCompile("(?m)^" + line + "$").MatchString(page) {
				t.Errorf("/metrics has no line %s", line)
			}
		}
	}
	want(
		`connmix_center_registry_channels_total 0`,
		`connmix_center_registry_clients 0`,
		`connmix_center_registry_engine_nodes 1`,
		`connmix_engine_servers_clients 0`,
		`connmix_engine_servers_read_messages_total\{protocol="websocket"\} 0`,
		`connmix_engine_servers_send_messages_total\{protocol="websocket"\} 0`,
		`connmix_engine_servers_send_errors_total\{protocol="websocket"\} 0`,
		`connmix_engine_servers_send_duration_seconds\{protocol="websocket",scenario="local",quantile="0.5"\} NaN`,
		`connmix_engine_servers_send_duration_seconds_count\{protocol="websocket",scenario="forward"\} 0`,
		`# TYPE connmix_engine_servers_send_duration_seconds summary`,
		`# TYPE connmix_center_registry_channels_total counter`,
		`bridge_mesh_topic_depth\{topic=""\} 0`,
		`bridge_mesh_push_refused_total\{topic=""\} 0`,
		`bridge_mesh_events_total\{topic=""\} 0`,
		`bridge_mesh_redelivered_total\{topic=""\} 0`,
		`bridge_mesh_channels 0`,
	)
	user, api := endUser(t, b), backend(t, b)
	api.must("queue.pop", `["chat"]`)
	id := idOf(api, user)
	api.must("conn.call", `{"c":"`+id+`","f":"subscribe","a":["a","b"]}`)
	api.must("conn.call", `{"c":"`+id+`","f":"unsubscribe","a":["a"]}`)
	want(
		`connmix_center_registry_channels_total 2`,
		`bridge_mesh_channels 1`,
		`connmix_center_registry_clients 1`,
		`connmix_engine_servers_clients 1`,
		`connmix_engine_servers_read_messages_total\{protocol="websocket"\} 4`,
		`connmix_engine_servers_send_messages_total\{protocol="websocket"\} 4`,
		`connmix_engine_servers_send_duration_seconds_count\{protocol="websocket",scenario="local"\} 2`,
		`bridge_mesh_topic_depth\{topic="chat"\} 0`,
		`bridge_mesh_push_refused_total\{topic="chat"\} 0`,
		`bridge_mesh_events_total\{topic="chat"\} 1`,
		`bridge_mesh_redelivered_total\{topic="chat"\} 0`,
	)
	if page := metrics(t, b); strings.Contains(page, `topic=""`) {
		t.Error("there is a topic without a name")
	}
	if page := metrics(t, harness.Start(t, config("", ""))); strings.Contains(page, "connmix") {
		t.Error("the names are there where nobody asked for them")
	}
}
