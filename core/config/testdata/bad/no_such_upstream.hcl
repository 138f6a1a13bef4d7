listener "public" {
  address = "127.0.0.1:6789"
}
plugin "ctproto" {
  route "/a" {
    auth     = auth.none
    upstream = upstream.logux.app
  }
}
