listener "public" {
  address = "127.0.0.1:6789"
}

cluster {
  name      = "the main one"
  listen    = "127.0.0.1:6789"
  advertise = "0.0.0.0:6222"
  secret    = "hunter2-hunter2"
  routes    = ["10.0.0.1:6222", "nats://10.0.0.1", "http://10.0.0.1:6222"]
  replicas  = 6
  node      = 1024
  tls {
    cert_file = "no-such.pem"
  }
}
cluster {}
