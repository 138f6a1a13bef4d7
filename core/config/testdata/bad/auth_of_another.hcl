listener "public" {
  address = "127.0.0.1:6789"
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = "hunter2"
}
upstream "logux" "other" {
  url    = "http://127.0.0.1:3001/logux"
  secret = "hunter2"
}

auth "logux" "app" {
  upstream = upstream.logux.other
}
plugin "ctproto" {
  route "/a" {
    upstream = upstream.logux.app
  }
}
