listener "public" {
  address = "127.0.0.1:6789"
}
plugin "demo" {
  type = "required"
}
plugin "demo2" {
  type = "required"
  config {
    other = "x"
  }
}
