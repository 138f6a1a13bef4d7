listener "public" {
  address = "127.0.0.1:6789"
}
plugin "ctproto" {
  event_timeout = "0s"
  route "/a" {
    auth = auth.none
    limits {
      max_frame  = "1MB"
      max_binary = 0
    }
  }
  route "/b" {
    auth = auth.none
    limits {
      max_frame  = -5
      max_binary = true
    }
  }
}
shutdown {
  delay   = "10"
  timeout = "ten seconds"
}
