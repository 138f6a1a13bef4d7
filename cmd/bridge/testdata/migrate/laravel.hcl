# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate
# LOGUX_CONTROL_URL: the back-end posts to http://localhost:31338; that has to reach a listener below.
# Bridge does not read .env. It wants LOGUX_PASSWORD in its environment:
#   export LOGUX_PASSWORD, or EnvironmentFile= of systemd, or --env-file of a container

listener "public" { # clients connect here
  address = "127.0.0.1:31337"
  default = true
  # origins         = ["https://app.example"] # where pages come from that are not of this host
  # trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx
}
listener "internal" {
  address = "127.0.0.1:31338" # back-ends post here: LOGUX_CONTROL_URL
}

upstream "logux" "app" {
  url     = "http://127.0.0.1:8000/logux" # no LOGUX_BACKEND: write where the application is
  secret  = env("LOGUX_PASSWORD")         # the back-end has the same
  version = 2                             # LOGUX_PROTOCOL_VERSION; where @logux/server 0.9 or later was in front, it was 4
}

plugin "logux" {
  route "/*" { # clients; POST / from back-ends; GET /health
    role     = "server"
    upstream = upstream.logux.app
    config {
      env = "development" # Node's default, as NODE_ENV is not set; take it out where others connect
    }
  }
  route "/" { # POST / from back-ends
    role     = "control"
    also     = ["/health", "/status"]
    listener = listener.internal
    config {
      control_secret = env("LOGUX_PASSWORD")
    }
  }
}
