listener "public" {
  address = "127.0.0.1:6789"
  default = true
}
listener "public" {
  address = "127.0.0.1:6790"
}
upstream "dev" "echo" {}
upstream "dev" "echo" {}
plugin "ctproto" {}
plugin "ctproto" {}
