listener "public" {
  address = "0.0.0.0:6789"
  default = true
}
listener "local" {
  address = "127.0.0.1:6790"
}
listener "proxied" {
  address         = "127.0.0.1:6791"
  trusted_proxies = ["127.0.0.1"]
}
plugin "ctproto" {
  route "/a" {
    role = "api"
  }
  route "/b" {
    role = "api"
    auth = auth.none
  }
  route "/c" {
    role     = "api"
    listener = listener.proxied
  }
  route "/d" {
    role     = "api"
    auth     = auth.none
    listener = listener.proxied
  }
  route "/e" {
    role     = "api"
    listener = listener.local
  }
  route "/f" {
    role     = "api"
    auth     = auth.none
    listener = listener.local
  }
}
