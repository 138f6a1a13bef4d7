package config

// The blocks of bridge.hcl, each declared once.

var fileSpec = &BlockSpec{
	Attrs: []AttrSpec{{
		Name: "data_dir", Type: "path", Default: `"data"`, Example: `"/var/lib/bridge"`,
		Doc: "folder of what Bridge keeps: queues, the chat database, its control socket; one process locks it",
	}},
	Blocks: []*BlockSpec{
		listenerSpec, adminSpec, authSpec, upstreamSpec, pluginSpec, channelSpec, clusterSpec, shutdownSpec,
	},
}

var listenerSpec = &BlockSpec{
	Type: "listener", Labels: []string{"NAME"},
	Doc: "An address on which clients or back-ends connect. Routes name it, or are on the default one.",
	Example: `listener "public" {
  address         = "0.0.0.0:6789"
  default         = true
  origins         = ["https://app.example", "https://*.example.com"]
  trusted_proxies = ["10.0.0.0/8"]
}`,
	Attrs: []AttrSpec{
		{Name: "address", Type: "host:port", Required: true, Example: `"127.0.0.1:6789"`, Doc: `where it listens; ":6789" is all addresses of this machine`},
		{Name: "default", Type: "true or false", Default: "true for the only listener, else false", Example: "true", Doc: "routes that name no listener are on this one"},
		{
			Name: "origins", Type: "list of origins", Example: `["https://app.example", "https://*.example.com"]`, Default: "the page's own host, none, or loopback to loopback",
			Doc: "pages whose scripts may connect, besides the default ones",
		},
		{
			Name: "trusted_proxies", Type: "list of networks", Default: "none", Example: `["10.0.0.0/8"]`,
			Doc: "proxies whose forwarding headers are believed; with them no request counts as local",
		},
		{Name: "max_connections", Type: "whole number", Default: "nine tenths of the files that the process may open", Example: "100000", Doc: "connections that may be open; what comes then is closed"},
		{
			Name: "max_per_address", Type: "whole number", Default: "1000", Example: "5000",
			Doc: "connections of one address, or of one network of 64 bits of IPv6; this machine and `trusted_proxies` are not counted",
		},
		{
			Name: "proxy_protocol", Type: "true or false", Default: "false", Example: "true",
			Doc: "connections come from `trusted_proxies` alone, and each begins with a header of the PROXY protocol, version 1 or 2, that says for whom; needs `trusted_proxies`",
		},
		{
			Name: "compression", Type: "true or false", Default: "false", Example: "true",
			Doc: "WebSocket messages may be compressed (permessage-deflate), where the client offers it: saves bandwidth, costs processor time. Not for messages that carry a secret beside what a stranger chose, whose length would tell of it",
		},
		{Name: "framing", Type: `"lines"`, Default: "HTTP and WebSocket", Example: `"lines"`, Doc: "raw TCP, a frame a line: for exactly one route, with the path \"/\""},
	},
	Blocks: []*BlockSpec{tlsSpec},
}

var tlsSpec = &BlockSpec{
	Type: "tls",
	Doc:  "A certificate of this node.",
	Example: `tls {
  cert_file = "cert.pem"
  key_file  = "key.pem"
}`,
	Attrs: []AttrSpec{
		{Name: "cert_file", Type: "path", Required: true, Example: `"cert.pem"`, Doc: "the certificate and those that it was signed with, as PEM"},
		{Name: "key_file", Type: "path", Required: true, Example: `"key.pem"`, Doc: "its private key, as PEM"},
	},
}

var adminSpec = &BlockSpec{
	Type: "admin",
	Doc:  "The address at which health, readiness, metrics and the administration API are served. Without the block only the control socket in `data_dir` has them.",
	Example: `admin {
  address = "127.0.0.1:6780"
}`,
	Attrs: []AttrSpec{
		{Name: "address", Type: "host:port", Required: true, Example: `"127.0.0.1:6780"`, Doc: "where it listens"},
		{Name: "auth", Type: `reference to an auth "basic"`, Default: "none, on loopback only", Example: "auth.basic.ops", Doc: "who may use it; needed beyond loopback, except for /health and /ready"},
	},
}

var pluginSpec = &BlockSpec{
	Type: "plugin", Labels: []string{"LABEL"},
	Doc: "The translator of a protocol, in a process of its own, and the routes that it serves.",
	Example: `plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.logux.app
  }
}`,
	Attrs: []AttrSpec{
		{Name: "type", Type: "text", Default: "the label", Example: `"ctproto"`, Doc: "the kind of plugin, so that there may be several of one kind"},
		{Name: "command", Type: "list of texts", Default: "the plugin of that type in the `bridge` program", Example: `["/opt/my-plugin"]`, Doc: "program and arguments of an external plugin"},
		{Name: "sha256", Type: "text", Default: "any program", Example: `"e3b0c442…"`, Doc: "checksum of the program, in hexadecimal digits; no other is started"},
		{Name: "env", Type: "table of texts", Default: "none", Example: `{ REDIS_URL = "redis://127.0.0.1" }`, Doc: "environment of the process, which inherits nothing but PATH"},
		{Name: "mtls", Type: "true or false", Default: "true for an external plugin, else false", Example: "true", Doc: "core and plugin identify themselves to each other by certificates"},
		{Name: "event_timeout", Type: "duration", Default: `"10s"`, Example: `"10s"`, Doc: "a process that has not handled an event for so long is replaced"},
		{Name: "standby", Type: "true or false", Default: "false", Example: "true", Doc: "keep a second process ready to take over"},
	},
	Blocks: []*BlockSpec{configSpec, routeSpec},
}

var configSpec = &BlockSpec{
	Type: "config", Free: true,
	Doc: "What the plugin itself says may be set: once for the plugin, and in each route.",
}

var routeSpec = &BlockSpec{
	Type: "route", Labels: []string{"PATH"},
	Doc: "A path on a listener: `/x` is itself, `/x/` also serves everything below it, and `/*` takes what no other route of the listener does.",
	Example: `route "/client" {
  auth     = auth.jwt.site
  upstream = upstream.logux.app
  channels = ["user/${user.id}"]
  limits {
    max_frame = "64KiB"
  }
}`,
	Attrs: []AttrSpec{
		{Name: "role", Type: "text", Default: "the plugin's role without a name", Example: `"api"`, Doc: "what the route is for; the plugin says which roles there are"},
		{Name: "also", Type: "list of texts", Default: "none", Example: `["/ws/v1"]`, Doc: "further paths"},
		{Name: "listener", Type: "reference to a listener", Default: "the default listener", Example: "listener.internal", Doc: "where the route is served"},
		{
			Name: "auth", Type: "reference to an auth, or `auth.none`", Example: "auth.static.dev",
			Default: "asks the upstream if that is a Logux back-end; else needed, unless the plugin has accounts of its own",
			Doc:     "who says who a client is; `auth.none` lets everyone in",
		},
		{Name: "upstream", Type: "reference to an upstream", Default: "none", Example: "upstream.logux.app", Doc: "whom the plugin asks"},
		{Name: "push", Type: `reference to an upstream "logux_server"`, Default: "none", Example: "upstream.logux_server.node", Doc: "the Logux server to which the plugin pushes actions"},
		{
			Name: "channels", Type: "expression", Default: "none", Example: `["user/${user.id}"]`,
			Doc: "channels that a session joins once it is authenticated, or at once where `auth.none` lets it in: then `user` and `claims` are null; over `user`, `claims`, `request`, `session`",
		},
	},
	Blocks: []*BlockSpec{limitsSpec, configSpec},
}

var limitsSpec = &BlockSpec{
	Type: "limits",
	Doc:  "What a client of the route may do at most.",
	Example: `limits {
  max_frame  = "1MiB"
  max_binary = "4MiB"
}`,
	Attrs: []AttrSpec{
		{Name: "max_frame", Type: "size", Default: "the plugin's, else 1MiB", Example: `"1MiB"`, Doc: "bytes of a text frame"},
		{Name: "max_binary", Type: "size", Default: "`max_frame`", Example: `"4MiB"`, Doc: "bytes of a binary frame"},
		{Name: "rate", Type: "rate", Default: "none", Example: `"100/s"`, Doc: "frames of a WebSocket session in a time: so many at once, then evenly; what comes faster is read later"},
		{Name: "max_sessions", Type: "whole number", Default: "none", Example: "100000", Doc: "sessions of the route on this node, requests that wait for their answer as well; more are answered 503"},
	},
}

var channelSpec = &BlockSpec{
	Type: "channel", Labels: []string{"PATTERN"},
	Doc: "Who else may join or publish to channels. A pattern is a name, or the beginning of names with `*` behind it. " +
		"The channels that a plugin owns are its own by default.",
	Example: `channel "chat/*" {
  join    = [plugin.mesh]
  publish = [plugin.mesh, auth.basic.ops]
}`,
	Attrs: []AttrSpec{
		{Name: "join", Type: "list of references to plugins and auths", Default: "as the protocols have it", Example: "[plugin.mesh]", Doc: "whose sessions may join"},
		{Name: "publish", Type: "list of references to plugins and auths", Default: "as the protocols have it", Example: "[plugin.mesh, auth.basic.ops]", Doc: "who may publish"},
	},
}

var clusterSpec = &BlockSpec{
	Type: "cluster",
	Doc:  "How this node finds the others. Without the block it is alone.",
	Example: `cluster {
  name      = "main"
  secret    = env("BRIDGE_CLUSTER_SECRET")
  listen    = "10.0.0.1:6222"
  routes    = ["nats://10.0.0.1:6222", "nats://10.0.0.2:6222"]
}`,
	Attrs: []AttrSpec{
		{Name: "name", Type: "text", Required: true, Example: `"main"`, Doc: "the same on all nodes of the cluster"},
		{Name: "secret", Type: "secret", Secret: true, Default: "none, on loopback only", Example: `env("BRIDGE_CLUSTER_SECRET")`, Doc: "what nodes show each other; needed beyond loopback"},
		{Name: "listen", Type: "host:port", Default: "none, with `servers`", Example: `"127.0.0.1:6222"`, Doc: "where the embedded NATS takes connections of other nodes"},
		{Name: "advertise", Type: "host:port", Default: "`listen`", Example: `"10.0.0.1:6222"`, Doc: "where other nodes reach it"},
		{Name: "routes", Type: "list of URLs", Default: "none", Example: `["nats://10.0.0.1:6222", "nats://10.0.0.2:6222"]`, Doc: "the embedded NATS of all nodes; a node skips itself"},
		{Name: "replicas", Type: "whole number", Default: "3 from three nodes on, else 1", Example: "3", Doc: "copies of each queue, 1 to 5"},
		{Name: "node", Type: "whole number", Default: "leased", Example: "1", Doc: "number of this node, 0 to 1023; part of session ids"},
		{Name: "servers", Type: "list of URLs", Default: "the embedded NATS", Example: `["nats://nats.internal:4222"]`, Doc: "an external NATS instead of the embedded one"},
	},
	Blocks: []*BlockSpec{tlsSpec},
}

var shutdownSpec = &BlockSpec{
	Type: "shutdown",
	Doc:  "How Bridge ends.",
	Example: `shutdown {
  delay   = "5s"
  timeout = "30s"
}`,
	Attrs: []AttrSpec{
		{Name: "delay", Type: "duration", Default: `"0s"`, Example: `"5s"`, Doc: "/ready says 503 for so long before anything closes"},
		{Name: "timeout", Type: "duration", Default: `"30s"`, Example: `"30s"`, Doc: "sessions are closed staggered within it"},
	},
}
