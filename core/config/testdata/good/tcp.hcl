listener "legacy" {
  address = "127.0.0.1:7000"
  framing = "lines"
}
listener "balanced" {
  address         = "0.0.0.0:7001"
  framing         = "lines"
  trusted_proxies = ["10.0.0.0/8"]
  proxy_protocol  = true
  tls {
    cert_file = "cert.pem"
    key_file  = "key.pem"
  }
}
plugin "chat" {
  route "/" {
    listener = listener.legacy
  }
}
plugin "other" {
  type = "chat"
  route "/" {
    listener = listener.balanced
  }
}
