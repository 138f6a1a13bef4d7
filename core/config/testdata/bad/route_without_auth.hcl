listener "public" {
  address = "0.0.0.0:6789"
  default = true
}
listener "local" {
  address = "localhost:6790"
}
plugin "ctproto" {
  route "/a" {}
  route "/b" {
    listener = listener.local
  }
  route "/c" {
    role = "own"
  }
  route "/d" {
    auth = auth.none
  }
}
