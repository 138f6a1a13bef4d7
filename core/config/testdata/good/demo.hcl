data_dir = "/var/lib/bridge"

listener "public" {
  address = "[::1]:6789"
  default = true
}
listener "internal" {
  address = ":6781"
}
admin {
  address = "localhost:6780"
}
auth "static" "dev" {
  tokens = {
    good-token  = "38"
    "two words" = 39
  }
}
upstream "logux" "app" {
  url             = "https://back-end.example/logux"
  secret          = [env("BRIDGE_TEST_SECRET"), secret_file("old.secret")]
  version         = 3
  connect_timeout = "1s"
  timeout         = "2s"
  idle_timeout    = "3s"
  max_connections = 5
  batch           = 6
}
upstream "dev" "echo" {}
plugin "demo" {
  command       = ["./demo", "-v"]
  sha256        = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
  env           = { REDIS_URL = "redis://127.0.0.1", N = 3 }
  event_timeout = "1m"
  standby       = true
  config {
    text   = "a <b> \"c\""
    flag   = true
    count  = -7
    ratio  = 0.25
    wait   = "1m30s"
    room   = "64KiB"
    names  = ["x", "y"]
    labels = { b = "2", a = "1" }
    topic = "in/${urlencode(payload.topic)}"
    mode   = "silent"
    key    = env("BRIDGE_TEST_SECRET")
    keys   = [env("BRIDGE_TEST_SECRET"), "an-older-one"]
  }
  route "/a" {
    auth     = auth.static.dev
    upstream = upstream.logux.app
    also     = ["/b/", "/c"]
    limits {
      max_frame  = "2MiB"
      max_binary = 4096
    }
  }
  route "/*" {
    listener = listener.internal
    auth     = auth.none
  }
}
plugin "second" {
  type = "demo"
  mtls = true
}
shutdown {
  delay   = "5s"
  timeout = "1m"
}
