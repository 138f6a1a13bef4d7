data_dir = 3

listener "public" {
  address = "127.0.0.1"
}

auth "static" "dev" {
  tokens = { good-token = "38" }
  users  = { hunter2 = "x" }
}

upstream "logux" "app" {
  url     = "http://127.0.0.1:3000/logux"
  secret  = env("BRIDGE_TEST_UNSET")
  version = 5
}

plugin "ctproto" {
  route "client" {
    auth     = auth.static.dv
    channels = ["user/${user.id"]
  }
}
