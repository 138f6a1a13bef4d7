listener "public" {
  address = "127.0.0.1:6789"
}
auth "static" "dev" {
  tokens = { good-token = "38" }
}
upstream "dev" "echo" {}
plugin "ctproto" {
  route "/a" {
    listener = listener.pubic
    auth     = auth.static.def
    upstream = upstream.dev.ecco
  }
  route "/b" {
    auth     = auth.nune
    upstream = upstream.logux.somewhere_else
  }
}
