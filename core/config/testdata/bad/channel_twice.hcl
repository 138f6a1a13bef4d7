listener "public" {
  address = "127.0.0.1:6789"
}
plugin "mesh" {
  route "/mesh" {
    role = "client"
    auth = auth.none
  }
}

channel "chat/*" {
  join = [plugin.mesh]
}
channel "chat/*" {
  publish = [plugin.mesh]
}
channel "chat/general" {
  publish = []
}
