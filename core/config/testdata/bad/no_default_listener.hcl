listener "public" {
  address = "127.0.0.1:6789"
}
listener "internal" {
  address = "127.0.0.1:6781"
}
plugin "ctproto" {
  route "/client" {
    auth = auth.none
  }
}
