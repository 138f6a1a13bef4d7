listener "public" {
  address = "127.0.0.1:6789"
}

auth "basic" "ops" {
  users = {
    ops     = env("BRIDGE_TEST_UNSET")
    console = { password = secret_file("no/such/file") }
  }
}
auth "basic" "variable" {
  users = { app = hunter2 }
}
