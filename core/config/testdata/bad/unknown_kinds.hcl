listener "public" {
  address = "127.0.0.1:6789"
}
auth "statik" "dev" {
  tokens = { good-token = "38" }
}
auth "ldap" "dev" {}
upstream "dve" "echo" {}
plugin "ctproto" {
  route "/a" {
    auth     = auth.statik.dev
    upstream = upstream.dve.echo
  }
}
