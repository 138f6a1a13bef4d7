listener "public" {
  address         = "127.0.0.1:6789"
  trusted_proxies = ["10.0.0.1/8", "10.0.0/8", "proxy.internal", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104", "10.0.0.1"]
}
listener "everybody" {
  address         = "127.0.0.1:6790"
  trusted_proxies = ["0.0.0.0/0"]
}
