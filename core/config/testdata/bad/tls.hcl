listener "public" {
  address = "127.0.0.1:6789"
  tls {
    cert_file = "no-such.pem"
    key_file  = "."
  }
}
listener "other" {
  address = "127.0.0.1:6790"
  tls {
    cert_file = ""
    key       = "hunter2"
  }
  tls {}
}
