listener "legacy" {
  address = "127.0.0.1:7000"
  framing = "lines"
}
auth "static" "dev" {
  tokens = { good-token = "38" }
}
plugin "mesh" {
  route "/" {
    role = "client"
    auth = auth.static.dev
  }
}
