listener "public" {
  address = "127.0.0.1:6789"
}
plugin "ctproto" {
  route "/a" {
    auth     = auth.none
    channels = ["user/${usr.id}", "x/${payload.y}"]
  }
  route "/b" {
    auth     = auth.none
    channels = ["user/${user.name}"]
  }
  route "/c" {
    auth     = auth.none
    channels = ["$SYS"]
  }
  route "/d" {
    auth     = auth.none
    channels = urlencod(user.id)
  }
  route "/e" {
    auth     = auth.none
    channels = "two words"
  }
  route "/f" {
    auth     = auth.none
    channels = ["user/${urlencode(user.id, "x")}"]
  }
}
