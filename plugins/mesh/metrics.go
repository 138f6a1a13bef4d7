package mesh

import "github.com/protocol-bridge/bridge/sdk"

// metrics are those that the core is to show besides; with connmix also under the names of CONNMIX.
func metrics(connmix bool) []sdk.Metric {
	channels := sdk.Metric{Name: "bridge_mesh_channels", Help: "Channels that end users are on.", Measure: sdk.Channels}
	if !connmix {
		return []sdk.Metric{channels}
	}
	protocol := map[string]string{"protocol": "websocket"}
	return []sdk.Metric{
		channels,
		{Name: "connmix_center_registry_channels_total", Help: "Channels that end users joined first.", Measure: sdk.ChannelsTotal},
		{Name: "connmix_center_registry_clients", Help: "End users of this node.", Measure: sdk.Sessions, Role: roleClient},
		{Name: "connmix_center_registry_engine_nodes", Help: "Nodes that live.", Measure: sdk.LiveNodes},
		{Name: "connmix_engine_servers_clients", Help: "End users of this node.", Measure: sdk.Sessions, Role: roleClient},
		{Name: "connmix_engine_servers_read_messages_total", Help: "Frames that clients and back-ends sent.", Measure: sdk.FramesIn, Labels: protocol},
		{Name: "connmix_engine_servers_send_messages_total", Help: "Frames that clients and back-ends were sent.", Measure: sdk.FramesOut, Labels: protocol},
		{Name: "connmix_engine_servers_send_errors_total", Help: "Frames for end users that these did not take.", Measure: sdk.Unsent, Labels: protocol},
		{Name: "connmix_engine_servers_send_duration_seconds", Help: "Time that a send to one end user took.", Measure: sdk.ActSeconds, Labels: protocol},
	}
}
