listener "public" {
  address = "127.0.0.1:6789"
}
auth "basic" "ops" {
  users = { ops = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt" }
}

auth "static" "dev" {
  tokens = { hunter2 = "38" }
}
admin {
  address = "127.0.0.1:6780"
  auth    = auth.static.dev
}
