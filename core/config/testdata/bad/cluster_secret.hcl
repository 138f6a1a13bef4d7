listener "public" {
  address = "127.0.0.1:6789"
}

cluster {
  name   = "main"
  listen = "10.0.0.1:6222"
}
