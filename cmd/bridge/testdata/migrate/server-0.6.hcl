# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate
# LOGUX_REPORTER: bridge run --log-format text

listener "public" { # clients connect here
  address = "127.0.0.1:31337"
  default = true
  # origins         = ["https://app.example"] # where pages come from that are not of this host
  # trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx
}
listener "internal" {
  address = "0.0.0.0:31338" # back-ends post here: LOGUX_CONTROL_HOST
}

upstream "logux" "app" {
  url     = "http://localhost:3000/logux"
  secret  = env("LOGUX_CONTROL_PASSWORD") # the back-end has the same
  version = 2                             # as a server with LOGUX_CONTROL_PASSWORD asks, 0.5 or 0.6; 1 if it was older
}

plugin "logux" {
  route "/*" { # clients; POST / from back-ends; GET /health
    role     = "server"
    upstream = upstream.logux.app
  }
  route "/" { # POST / from back-ends
    role     = "control"
    also     = ["/health", "/status"]
    listener = listener.internal
    config {
      control_secret = env("LOGUX_CONTROL_PASSWORD")
      # control_mask = ["127.0.0.0/8", "10.0.0.0/8"] # where back-ends post from; without it, this machine
    }
  }
}
