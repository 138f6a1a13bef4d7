listener "public" {
  address        = "127.0.0.1:6789"
  default        = true
  proxy_protocol = true
}
listener "proxied" {
  address         = "127.0.0.1:6790"
  trusted_proxies = ["10.0.0.0/8"]
  proxy_protocol  = "yes"
}
