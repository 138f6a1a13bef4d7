# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate

listener "public" { # clients connect here
  address = "127.0.0.1:31337"
  # origins         = ["https://app.example"] # where pages come from that are not of this host
  # trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx
}

upstream "logux" "app" {
  url     = "http://localhost:8000/logux/"
  secret  = env("LOGUX_CONTROL_SECRET") # the back-end has the same
  version = 4                           # as @logux/server 0.9 to 0.13 asks; 3 if it was 0.7 or 0.8
}

plugin "logux" {
  route "/*" { # clients; POST / from back-ends; GET /health
    role     = "server"
    upstream = upstream.logux.app
    config {
      env = "development" # NODE_ENV
    }
  }
}
