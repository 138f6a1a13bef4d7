listener "public" {
  address = "127.0.0.1:6789"
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = "hunter2
}
