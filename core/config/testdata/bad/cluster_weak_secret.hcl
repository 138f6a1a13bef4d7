listener "public" {
  address = "127.0.0.1:6789"
}

cluster {
  name      = "main"
  listen    = "127.0.0.1:6222"
  advertise = "10.0.0.1:6222"
  secret    = "changeme"
}
