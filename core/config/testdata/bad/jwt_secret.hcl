listener "public" {
  address = "127.0.0.1:6789"
}

auth "jwt" "a" {
  secret = "changeme"
}
auth "jwt" "b" {
  secret = ["hunter2-hunter2-hunter2-hunter2-hunter2", "hunter2"]
}
auth "jwt" "c" {
  secret = env("BRIDGE_TEST_EMPTY")
}
