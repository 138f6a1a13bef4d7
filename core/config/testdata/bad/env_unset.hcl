listener "public" {
  address = "127.0.0.1:6789"
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = env("BRIDGE_TEST_UNSET") # was hunter2
}
upstream "logux" "two" {
  url    = "http://127.0.0.1:3000/logux"
  secret = [env("BRIDGE_TEST_SECRET"), env("hunter2")]
}
