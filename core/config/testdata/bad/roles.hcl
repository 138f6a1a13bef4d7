listener "public" {
  address = "127.0.0.1:6789"
}
plugin "ctproto" {
  route "/a" {
    auth = auth.none
    role = "apu"
  }
  route "/b" {
    auth = auth.none
    role = "administrator"
  }
}
plugin "norole" {
  route "/c" {
    auth = auth.none
    role = "api"
  }
}
plugin "needsrole" {
  route "/d" {
    auth = auth.none
  }
}
