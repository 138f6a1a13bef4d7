listener "public" {
  address = "127.0.0.1:6789"
}
auth "basic" "ops" {
  users = { ops = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt" }
}

admin {
  address = "0.0.0.0:6780"
  auth    = auth.basic.op
}
