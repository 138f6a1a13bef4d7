listener "public" {
  address = "127.0.0.1:6789"
  default = true
  tls {
    cert_file = "testdata/good/cert.pem"
    key_file  = "testdata/good/key.pem"
  }
}
listener "legacy" { # raw TCP, a frame a line; one route, paths do not count
  address = "127.0.0.1:7000"
  framing = "lines"
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = env("LOGUX_CONTROL_SECRET")
}
upstream "logux_server" "node" {
  url    = "http://127.0.0.1:31338/"
  secret = env("LOGUX_CONTROL_SECRET")
}
plugin "logux" {
  route "/logux" { # the back-end of an existing Logux server
    role     = "backend"
    upstream = upstream.logux.app         # asks this one, publishes its resends here as well
    push     = upstream.logux_server.node # and pushes to that one
    config {
      secret = env("LOGUX_CONTROL_SECRET")
    }
  }
  route "/*" {
    role     = "server"
    upstream = upstream.logux.app
    limits {
      max_frame    = "1MiB"
      rate         = "100/s"
      max_sessions = 100000
    }
  }
}
plugin "chat" {
  route "/" { # the original client's TCP form
    listener = listener.legacy
  }
}
cluster {
  name      = "main"
  secret    = env("BRIDGE_CLUSTER_SECRET")
  listen    = "127.0.0.1:6222"
  advertise = "10.0.0.1:6222"
  routes    = ["nats://10.0.0.1:6222", "nats://10.0.0.2:6222"]
  replicas  = 3
  tls {
    cert_file = "testdata/good/cert.pem"
    key_file  = "testdata/good/key.pem"
  }
}
