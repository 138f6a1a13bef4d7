listener {
  address = "127.0.0.1:6789"
}
listener "a" "b" {
  address = "127.0.0.1:6790"
}
auth "static" {}
listener "9lives" {
  address = "127.0.0.1:6791"
}
