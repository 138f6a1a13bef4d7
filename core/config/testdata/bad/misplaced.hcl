listener "public" {
  address = "127.0.0.1:6789"
}

upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = "hunter2"
  mirror = ["users/*"]
}
auth "static" "dev" {
  tokens   = { hunter2 = "38" }
  upstream = upstream.logux.app
}
listener "other" {
  address = "127.0.0.1:6790"
  route "/x" {}
  limits {}
}
plugin "ctproto" {
  tls {}
  auth = auth.static.dev
  route "/a" {
    auth      = auth.static.dev
    max_frame = "1MiB"
    token     = payload.token
  }
}
