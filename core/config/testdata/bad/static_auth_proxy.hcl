listener "public" {
  address         = "127.0.0.1:6789"
  trusted_proxies = ["127.0.0.1"]
}
auth "static" "dev" {
  tokens = { hunter2 = "38" }
}
plugin "ctproto" {
  route "/a" {
    auth = auth.static.dev
  }
}
