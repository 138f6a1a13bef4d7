listener "public" {
  address = "0.0.0.0:6789"
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = "hunter2"
}
upstream "http" "api" {
  url    = "http://127.0.0.1:3000/messages"
  secret = "hunter2"
}
plugin "ctproto" {
  route "/known" {
    upstream = upstream.logux.app
  }
  route "/nobody" {
    upstream = upstream.http.api
  }
}
