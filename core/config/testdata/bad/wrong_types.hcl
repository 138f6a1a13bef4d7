data_dir = ["data"]
listener "public" {
  address = "127.0.0.1:6789"
  default = "true"
}
upstream "logux" "app" {
  url             = 3000
  secret          = { a = "b" }
  version         = "4"
  timeout         = 10
  max_connections = 1.5
  batch           = 0
}
plugin "ctproto" {
  command = "/opt/my-plugin"
  env     = ["A"]
  mtls    = 1
  standby = null
}
shutdown {
  delay = -1
}
