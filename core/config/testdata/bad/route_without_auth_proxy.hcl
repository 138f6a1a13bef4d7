listener "public" {
  address         = "127.0.0.1:6789"
  trusted_proxies = ["127.0.0.1"]
}
plugin "ctproto" {
  route "/a" {}
  route "/b" {
    auth = auth.none
  }
  route "/own" {
    role = "own"
  }
}
