listener "public" {
  address = "127.0.0.1:6789"
}
upstream "dev" "echo" {}
plugin "ctproto" {
  route "/a" {
    listener = "listener.public"
    auth     = ["auth.none"]
    upstream = upstream["dev"].echo
  }
  route "/b" {
    auth     = listener.public
    upstream = payload.token
  }
  route "/c" {
    auth     = auth.none
    upstream = [upstream.dev.echo]
  }
  route "/d" {
    auth     = auth.none
    upstream = dev.echo
  }
}
