listener "public" {
  address = "127.0.0.1:6789"
}

auth "basic" "ops" {
  users = {
    ops     = "hunter2"
    console = { password = "hunter2", roles = ["read"] }
  }
}
