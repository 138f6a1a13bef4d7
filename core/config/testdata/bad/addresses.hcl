listener "a" {
  address = "6789"
}
listener "b" {
  address = "127.0.0.1:http"
}
listener "c" {
  address = "127.0.0.1:70000"
}
listener "d" {
  address = 6789
}
listener "e" {
  address = "127.0.0.1:6789"
}
admin {
  address = "127.0.0.1:6789"
}
