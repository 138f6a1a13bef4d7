listener "public" {
  address = "127.0.0.1:6789"
  default = true
}
listener "internal" {
  address = "127.0.0.1:6781"
  default = true
}
