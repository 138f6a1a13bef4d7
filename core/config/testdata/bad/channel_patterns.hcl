listener "public" {
  address = "127.0.0.1:6789"
}
plugin "mesh" {
  route "/mesh" {
    role = "client"
    auth = auth.none
  }
}

channel "$SYS/*" {
  join = [plugin.mesh]
}
channel "two words" {
  join = [plugin.mesh]
}
channel "" {
  join = [plugin.mesh]
}
channel "chat/*/log" {
  join = [plugin.mesh]
}
