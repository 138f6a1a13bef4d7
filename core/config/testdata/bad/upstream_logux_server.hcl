listener "public" {
  address = "127.0.0.1:6789"
}

upstream "logux_server" "a" {
  url     = "http://127.0.0.1:31338/"
  secret  = "hunter2"
  version = 5
  mirror  = ["users/*", "$SYS", "", "two words", "a/*/b"]
}
upstream "logux_server" "b" {
  url             = "http://node.example/"
  secret          = "logux"
  mirror          = "users/*"
  connect_timeout = 2
  batch           = 3
}
