listener "public" {
  address = "127.0.0.1:6789"
}

upstream "http" "api" {
  url    = "http://127.0.0.1:3000/messages"
  secret = "hunter2"
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = "hunter2"
}
auth "logux" "a" {
  upstream = upstream.http.api
}
auth "logux" "b" {}
auth "logux" "c" {
  upstream = upstream.logux.ap
}
auth "logux" "d" {
  upstream = "upstream.logux.app"
}
