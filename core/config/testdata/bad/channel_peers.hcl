listener "public" {
  address = "127.0.0.1:6789"
}
auth "basic" "ops" {
  users = { ops = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt" }
}
plugin "mesh" {
  route "/mesh" {
    role = "client"
    auth = auth.none
  }
}

channel "chat/*" {
  join    = [plugin.mash, auth.basic.op, plugin.telex]
  publish = [auth.none, listener.public, "plugin.mesh"]
}
channel "a" {
  join = plugin.mesh.client
}
