listener "public" {
  address = "127.0.0.1:6789"
  default = true
}
listener "internal" {
  address = "127.0.0.1:6781"
}
plugin "ctproto" {
  route "/client" {
    auth = auth.none
  }
  route "/client" {
    auth     = auth.none
    listener = listener.internal
  }
}
plugin "mesh" {
  route "/client" {
    auth = auth.none
  }
  route "/mesh" {
    auth = auth.none
    also = ["/client", "/mesh"]
  }
}
