listener "legacy" {
  address         = "127.0.0.1:7000"
  framing         = "lines"
  origins         = ["https://app.example"]
  trusted_proxies = ["10.0.0.0/8"]
  compression     = true
}
plugin "ctproto" {
  route "/" {
    auth = auth.none
  }
}
