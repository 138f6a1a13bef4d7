# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate

listener "public" { # clients connect here
  address = "127.0.0.1:31337"
  # origins         = ["https://app.example"] # where pages come from that are not of this host
  # trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx
}

upstream "logux" "app" {
  url     = "http://localhost:3000"       # used as it stands: most libraries answer at /logux
  secret  = env("LOGUX_CONTROL_PASSWORD") # the back-end has the same
  version = 2                             # as a server with LOGUX_CONTROL_PASSWORD asks, 0.5 or 0.6; 1 if it was older
}

plugin "logux" {
  route "/*" { # clients; POST / from back-ends; GET /health
    role     = "server"
    upstream = upstream.logux.app
  }
}
