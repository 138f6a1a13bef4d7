listener "public" {
  address = "127.0.0.1:6789"
}
listener "all" {
  address = ":6789"
}
listener "same" {
  address = "localhost:6789"
}
listener "other" {
  address = "0.0.0.0:6790"
}
listener "any" {
  address = "127.0.0.1:0"
}
listener "any_too" {
  address = "127.0.0.1:0"
}
admin {
  address = "[::1]:6790"
}
