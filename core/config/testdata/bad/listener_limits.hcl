listener "public" {
  address         = "127.0.0.1:6789"
  max_connections = 0
  max_per_address = "many"
}
plugin "ctproto" {
  route "/client" {
    auth = auth.none
  }
}
