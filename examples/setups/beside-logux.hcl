# An existing Logux server kept, with CTProto clients beside it
#
# Logux clients stay with the Logux server you have. CTProto clients come to Bridge, ask the same
# back-end, and what is published for a user reaches that user's Logux clients too.

listener "public" {
  address = "127.0.0.1:6789"
  default = true
}
admin {
  address = "127.0.0.1:6780"
}

upstream "logux" "app" { # the back-end that the Logux server asks
  url    = "http://127.0.0.1:3000/logux"
  secret = env("LOGUX_CONTROL_SECRET")
}
upstream "logux_server" "node" { # the Logux server
  url    = "http://127.0.0.1:31337/"
  secret = env("LOGUX_CONTROL_SECRET")
  mirror = ["users/*"]
}
auth "logux" "app" { # who a client is, by the back-end's `auth` command
  upstream = upstream.logux.app
}

plugin "ctproto" {
  route "/client" {
    auth     = auth.logux.app
    upstream = upstream.logux.app
    channels = ["users/${user.id}"]
    config {
      user_id = payload.userId # whom a client claims to be; the back-end says whether it is
      token   = payload.token
    }
  }
}
