listener "public" {
  address = "127.0.0.1:6789"
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = "hunter2"
}
upstream "logux_server" "node" {
  url    = "http://127.0.0.1:31338/"
  secret = "hunter2"
}

plugin "ctproto" {
  route "/a" {
    upstream = upstream.logux.app
    push     = upstream.logux.app
  }
  route "/b" {
    auth     = auth.none
    upstream = upstream.logux_server.node
    push     = upstream.logux_server.node
  }
  route "/c" {
    auth = auth.none
    push = upstream.logux_server.mode
  }
  route "/d" {
    auth = auth.none
    push = auth.none
  }
}
