listener "public" {
  address = "127.0.0.1:6789"
}

auth "http" "a" {
  url = "http://127.0.0.1:3000/ws-auth"
}
auth "http" "b" {
  url             = "http://hooks.example/ws-auth"
  secret          = "changeme"
  timeout         = "0s"
  max_connections = 0
  idle_timeout    = "3s"
}
