listener "public" {
  address         = "127.0.0.1:6789"
  trusted_proxies = "10.0.0.0/8"
  framing         = true
  tls             = "cert.pem"
}
admin {
  address = "127.0.0.1:6780"
  auth    = "auth.basic.ops"
}
auth "jwt" "site" {
  secret     = { a = "hunter2" }
  algorithms = [1]
  leeway     = 3
  on_expire  = null
}
cluster {
  name     = 3
  listen   = 6222
  replicas = "three"
  node     = 1.5
  routes   = "nats://127.0.0.1:6222"
}
channel "news" {
  join = 3
}
