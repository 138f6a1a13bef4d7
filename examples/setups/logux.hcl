# In the place of @logux/server, in front of a Rails, Django or Laravel application
#
# Clients connect as before, and the application is not changed: it is asked at the URL below, in the version
# of the back-end protocol that its library speaks, and posts its actions to port 31337, as to servers since
# 0.7, or to 31338, as to older ones. Both sides have the secret LOGUX_CONTROL_SECRET. "bridge migrate logux"
# prints this with what your server was told.

listener "public" { # for clients; and for the application, POST /
  address = "127.0.0.1:31337"
  default = true
  # origins         = ["https://app.example"] # of pages that are served from elsewhere
  # trusted_proxies = ["127.0.0.1"]           # nginx in front, say
}
listener "internal" { # for the application
  address = "127.0.0.1:31338"
}
admin {
  address = "127.0.0.1:6780"
}

upstream "logux" "app" {
  url     = "http://127.0.0.1:3000/logux" # Django: http://127.0.0.1:8000/logux/
  secret  = env("LOGUX_CONTROL_SECRET")
  version = 4 # of the library: docs/logux-migration.md has a table
}

plugin "logux" {
  route "/*" { # clients; the application's `auth` command says who they are
    role     = "server"
    upstream = upstream.logux.app
    config {
      # env = "development" # where clients connect to ws:// from a page that is not on this machine
    }
  }
  route "/" {
    role     = "control"
    also     = ["/health", "/status"]
    listener = listener.internal
    config {
      control_secret = env("LOGUX_CONTROL_SECRET")
      control_mask   = ["127.0.0.0/8", "::1/128"] # where the application runs
    }
  }
}
