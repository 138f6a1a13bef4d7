listener "public" {
  address = "0.0.0.0:6789"
}
auth "static" "a" {
  tokens = { hunter2 = "38", hunter2 = "39" }
}
auth "static" "b" {
  tokens = {}
}
auth "static" "c" {
  tokens = { hunter2 = "" }
}
auth "static" "d" {
  tokens = { hunter2 = { id = "38" } }
}
auth "static" "e" {
  tokens = "hunter2"
}
auth "static" "f" {
  token = { hunter2 = "38" }
}
plugin "ctproto" {
  route "/a" {
    auth = auth.static.a
  }
}
