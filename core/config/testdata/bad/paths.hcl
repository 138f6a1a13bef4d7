listener "public" {
  address = "127.0.0.1:6789"
}
plugin "ctproto" {
  route "client" {}
  route "/a//b" {}
  route "/a/../b" {}
  route "/a*" {}
  route "/a?x=1" {}
  route "/a b" {}
  route "/a%20b" {}
  route "" {}
  route "/ok" {
    also = ["/fine/", "bad"]
  }
}
