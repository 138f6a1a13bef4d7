listener "public" {
  address = "127.0.0.1:6789"
}

upstream "lugox" "app" {
  secret = "hunter2"
}
auth "logux" "app" {
  upstream = upstream.lugox.app
}
admin {
  address = "127.0.0.1:6780"
  auth    = auth.basik.ops
}
auth "basik" "ops" {
  users = { hunter2 = "hunter2" }
}
plugin "ctproto" {
  route "/a" {
    auth     = auth.logux.app
    upstream = upstream.lugox.app
  }
}
