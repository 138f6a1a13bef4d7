data_dir = listener.public
listener "public" {
  address = "127.0.0.1:6789"
  default = yes
}
upstream "logux" "app" {
  url    = upstream.logux.app.url
  secret = env("BRIDGE_TEST_SECRET")
}
