# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate
# LOGUX_LOGGER: bridge run --log-format text
# LOGUX_REDIS: nothing to do. It had no effect in the open server, and Bridge needs no Redis.
# LOGUX_CONFIG is the back-end's own; nothing of it was read.

listener "public" { # clients connect here
  address = "localhost:8080"
  # origins         = ["https://app.example"] # where pages come from that are not of this host
  # trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx
}

upstream "logux" "app" {
  url     = "http://[::1]:3000/$${x}"
  secret  = env("LOGUX_CONTROL_SECRET") # the back-end has the same
  version = 4
}

plugin "logux" {
  route "/*" { # clients; POST / from back-ends; GET /health
    role     = "server"
    upstream = upstream.logux.app
    config {
      control_mask = ["127.0.0.1"]
      subprotocol  = "1.2.0"
      supports     = "^1.0.0"
    }
  }
}
