listener "public" {
  address = ":6789"
}
plugin "demo" {
  config {
    key  = "secret"
    keys = ["a-long-and-random-one", hunter2]
  }
  route "/a" {
    auth = auth.none
    config {
      key = env("BRIDGE_TEST_UNSET")
    }
  }
}
