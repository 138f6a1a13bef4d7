listener "public" {
  address = "127.0.0.1:6789"
}

auth "basic" "a" {
  users = {}
}
auth "basic" "b" {
  users = ["hunter2"]
}
auth "basic" "c" {
  users = { ops = null }
}
auth "basic" "d" {
  users = { ops = ["hunter2"] }
}
auth "basic" "e" {
  users = {
    "a:b" = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
    ""    = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
  }
}
auth "basic" "f" {
  users = {
    hunter2 = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
    hunter2 = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
  }
}
auth "basic" "g" {
  users = env("BRIDGE_TEST_SECRET")
}
auth "basic" "h" {
  tokens = { hunter2 = "38" }
}
