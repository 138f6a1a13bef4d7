listener "public" {
  address = "127.0.0.1:6789"
}
plugin "ctproto" {
  config {
    anything = 1
  }
  route "/a" {
    auth = auth.none
    config {
      authorise_timeout = "3s"
      authorize_timeot  = "3s"
      nested {}
    }
  }
}
