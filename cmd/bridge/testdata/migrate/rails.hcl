# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate
# LOGUX_URL: the back-end posts to http://localhost:31338/; that has to reach a listener below.
# Bridge does not read .env. It wants LOGUX_CONTROL_SECRET in its environment:
#   export LOGUX_CONTROL_SECRET, or EnvironmentFile= of systemd, or --env-file of a container

listener "public" { # clients connect here
  address = "127.0.0.1:31337"
  default = true
  # origins         = ["https://app.example"] # where pages come from that are not of this host
  # trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx
}
listener "internal" {
  address = "127.0.0.1:31338" # back-ends post here: LOGUX_URL
}

upstream "logux" "app" {
  url     = "http://localhost:3000/logux"
  secret  = env("LOGUX_CONTROL_SECRET") # the back-end has the same
  version = 4                           # as @logux/server 0.9 to 0.13 asks; 3 if it was 0.7 or 0.8
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
      control_secret = env("LOGUX_CONTROL_SECRET")
    }
  }
}
