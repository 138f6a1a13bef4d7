listner "public" {
  address = "127.0.0.1:6789"
}
listener "other" {
  address = "127.0.0.1:6790"
}
metrics {}
