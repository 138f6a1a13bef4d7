# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate
# LOGUX_CONTROL_URL: the back-end posts to http://logux:31338/control; that has to reach a listener below.
#   Back-ends post to the path "/", so take "/control" out of it.
# Bridge does not read .env. It wants LOGUX_CONTROL_SECRET in its environment:
#   export LOGUX_CONTROL_SECRET, or EnvironmentFile= of systemd, or --env-file of a container
# LOGUX_LOGGER: bridge run --log-format json
# LOGUX_PASSWORD is not the same as LOGUX_CONTROL_SECRET: the back-end has to have the latter.

listener "public" { # clients connect here
  address = "0.0.0.0:31337"
  default = true
  # origins         = ["https://app.example"] # where pages come from that are not of this host
  # trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx
}
listener "internal" {
  address = ":31338" # back-ends post here: LOGUX_CONTROL_URL; control_mask says which
}

upstream "logux" "app" {
  url     = "http://web/logux"
  secret  = env("LOGUX_CONTROL_SECRET") # the back-end has the same
  version = 4
}

plugin "logux" {
  route "/*" { # clients; POST / from back-ends; GET /health
    role     = "server"
    upstream = upstream.logux.app
    config {
      # control_mask = ["127.0.0.0/8", "10.0.0.0/8"] # where back-ends post from; without it, this machine
      env = "development" # Node's default, as NODE_ENV is not set; take it out where others connect
    }
  }
  route "/" { # POST / from back-ends
    role     = "control"
    also     = ["/health", "/status"]
    listener = listener.internal
    config {
      control_secret = env("LOGUX_CONTROL_SECRET")
      # control_mask = ["127.0.0.0/8", "10.0.0.0/8"] # where back-ends post from; without it, this machine
    }
  }
}
