listener "public" {
  address = "127.0.0.1:6789"
}
plugin "mesh" {
  route "/mesh" {
    role = "client"
    auth = auth.none
  }
}

channel "chat/*" {}
channel "news" {
  joins = [plugin.mesh]
}
channel {
  join = [plugin.mesh]
}
