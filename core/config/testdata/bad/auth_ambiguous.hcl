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

auth "logux" "one" {
  upstream = upstream.logux.app
}
auth "logux" "two" {
  upstream = upstream.logux.app
}
plugin "ctproto" {
  route "/a" {
    upstream = upstream.logux.app
  }
}
