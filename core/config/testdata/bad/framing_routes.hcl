listener "one" {
  address = "127.0.0.1:7000"
  framing = "lines"
}
listener "two" {
  address = "127.0.0.1:7001"
  framing = "lines"
}
listener "none" {
  address = "127.0.0.1:7002"
  framing = "lines"
}
plugin "ctproto" {
  route "/chat" {
    listener = listener.one
    auth     = auth.none
  }
  route "/" {
    listener = listener.two
    auth     = auth.none
    also     = ["/more"]
  }
  route "/second" {
    listener = listener.two
    auth     = auth.none
  }
}
