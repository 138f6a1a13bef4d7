data_dir = "data" # embedded stores: queues, chat database, files; locked by one process

listener "public" {
  address     = "127.0.0.1:6789"
  default     = true # routes that name no listener
  origins     = ["https://app.example", "https://*.Example.com:443", "http://[::1]:3000"]
  compression = true
}
listener "internal" { # for back-ends: APIs and control
  address = "127.0.0.1:6781"
}
listener "proxied" {
  address         = "10.0.0.1:6782"
  trusted_proxies = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"]
}
admin {
  address = "127.0.0.1:6780" # /health /ready /metrics /api/plugins /api/sessions …
  auth    = auth.basic.ops   # needed beyond loopback, except for /health and /ready
}

auth "static" "dev" { # loopback only
  tokens = { good-token = "38" } # token → user id
}
auth "basic" "ops" {
  users = {
    ops     = "$2y$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0"
    console = { password = env("BRIDGE_TEST_HASH"), roles = ["read"], allow = ["10.0.0.0/8", "::1"], channels = ["news", "chat/*"], topics = [] }
    app     = { password = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ" }
  }
}
auth "jwt" "site" { # exactly one of secret, public_key_file, jwks_url
  jwks_url  = "https://id.example/jwks.json"
  issuer    = "https://id.example/"
  audience  = "realtime"
  user_id   = claims.sub
  on_expire = "close" # or "keep"
}
auth "jwt" "shared" {
  secret     = [env("BRIDGE_TEST_LONG_SECRET"), "0123456789abcdef0123456789abcdef"]
  algorithms = ["HS256", "HS512"]
  leeway     = "1m"
  on_expire  = "keep"
  user_id    = "site-${claims.id}"
}
auth "jwt" "file" {
  public_key_file = "key.pem"
}
auth "http" "hook" { # the JSON contract's "authorize"
  url    = "http://127.0.0.1:3000/ws-auth"
  secret = env("BRIDGE_HOOK_SECRET") # signs each request
}
auth "logux" "app" { # asks the back-end's `auth` command
  upstream = upstream.logux.app
}

upstream "logux" "app" { # a back-end that speaks the Logux back-end protocol
  url             = "http://127.0.0.1:3000/logux"
  secret          = env("LOGUX_CONTROL_SECRET")
  version         = 4     # 1 to 4
  connect_timeout = "2s"
  timeout         = "10s" # until the first answer
  idle_timeout    = "30s" # between answers
  max_connections = 64
  batch           = 1     # commands a request; raise for back-ends that answer in parallel
}
upstream "logux" "second" {
  url    = "http://127.0.0.1:3001/logux"
  secret = env("LOGUX_CONTROL_SECRET")
}
upstream "logux_server" "node" { # an existing Logux server: actions are POSTed to it
  url     = "http://127.0.0.1:31338/"
  secret  = env("LOGUX_CONTROL_SECRET")
  version = 3           # 1 to 4; a push of role "backend" speaks the asking request's version
  mirror  = ["users/*"] # what is published here on these channels reaches its clients too
}
upstream "http" "api" { # one JSON contract for every protocol
  url             = "http://127.0.0.1:3000/messages"
  secret          = [env("BRIDGE_HOOK_SECRET"), "an-older-one"]
  connect_timeout = "1s"
  timeout         = "3s"
  max_connections = 7
}
upstream "dev" "echo" {} # built in, to try things out: approves and echoes

plugin "ctproto" {
  # type    = "ctproto"            # the kind; the label by default, so there may be several
  # command = ["/opt/my-plugin"]   # external plugin …
  # sha256  = "…"                  # … and no other binary
  # env     = { REDIS_URL = "redis://127.0.0.1" }
  config {} # plugin-wide; checked against the schema it declares
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.logux.app
    channels = ["user/${user.id}"] # evaluated once a session is authenticated
    limits {
      max_frame = "1MiB" # text; max_binary for binary; defaults may come from the plugin
    }
    config {
      authorize_timeout = "3s"
      token             = payload.token
      errors            = "message" # or "silent", as the original
    }
  }
  route "/ctproto/v1/" { # updates and closes from the back-end
    role     = "api"
    auth     = auth.basic.ops
    listener = listener.internal
  }
  route "/second" {
    upstream = upstream.logux.second
  }
}

plugin "logux" {
  route "/*" { # WebSocket: Logux clients; POST /: control; GET /health, /status
    role     = "server"
    upstream = upstream.logux.app # its auth is auth.logux.app
    config {
      control_secret = env("LOGUX_CONTROL_SECRET") # the upstream's secret by default
      control_mask   = ["127.0.0.0/8"]
      # subprotocol, supports, env
    }
  }
  route "/" { # control alone, where only back-ends reach it
    role     = "control"
    listener = listener.internal
    config {
      control_secret = env("LOGUX_CONTROL_SECRET")
    }
  }
  route "/logux" { # the back-end of an existing Logux server
    role     = "backend"
    listener = listener.internal
    upstream = upstream.logux.app # asks this one, publishes its resends here as well
    config {
      secret = env("LOGUX_CONTROL_SECRET")
    }
  }
  route "/relay" { # actions for an existing Logux server: passed on, and published here
    role     = "relay"
    listener = listener.internal
    upstream = upstream.logux_server.node
    config {
      secret = env("LOGUX_CONTROL_SECRET")
    }
  }
}

plugin "mesh" {
  config {
    topic_size = 2000
    max_topics = 100
  }
  route "/v1/" { # HTTP and WebSocket API; beyond loopback: listener = listener.internal
    also = ["/ws/v1", "/version"]
    role = "api"
    auth = auth.basic.ops
  }
  route "/mesh" { # end users: frames go to a topic
    role = "client"
    auth = auth.none # everyone; on loopback it may be left out
    config {
      topic = "inbox"
      token = request.query.token
    }
  }
}

plugin "chat" {
  config {
    database = "sqlite:chat.db" # or postgres://…
    signup   = true
  }
  route "/chat" {} # has its own accounts; auth is optional
}

channel "chat/*" { # who else may join or publish; an owner's channels are its own by default
  join    = [plugin.mesh]
  publish = [plugin.mesh, auth.basic.ops]
}
channel "news" {
  publish = []
}

shutdown {
  delay   = "0s"  # /ready says 503, nothing closes yet
  timeout = "30s" # sessions closed staggered within it
}
