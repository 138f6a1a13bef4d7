listener "public" {
  address = "127.0.0.1:6789"
  origins = ["https://app.example"]
  framing = "lines"
  tls {
    cert_file = "cert.pem"
  }
}
admin {
  address = "127.0.0.1:6780"
  auth    = auth.basic.ops
}
auth "basic" "ops" {
  users = { ops = "$2y$12$topsecret" }
}
upstream "http" "api" {
  url = "http://127.0.0.1:3000/"
}
plugin "ctproto" {
  route "/a" {
    auth     = auth.basic.ops
    upstream = upstream.http.api
    push     = upstream.http.api
    limits {
      rate = "100/s"
    }
  }
}
channel "chat/*" {
  join = [plugin.mesh]
}
cluster {
  name = "main"
}
