# An existing Logux server kept, with CTProto clients beside it
#
# Logux clients stay with the Logux server you have. CTProto clients come to Bridge and ask the same
# back-end. What is said on a user's channel clients of both sides get, whoever said it, when the Logux
# server asks Bridge (LOGUX_BACKEND=http://127.0.0.1:6781/logux) and the back-end sends its actions to
# Bridge (http://127.0.0.1:6781/relay) instead of to the Logux server.

listener "public" {
  address = "127.0.0.1:6789"
  default = true
}
admin {
  address = "127.0.0.1:6780"
}
listener "internal" { # for the Logux server and the back-end
  address = "127.0.0.1:6781"
}

upstream "logux" "app" { # the back-end
  url    = "http://127.0.0.1:3000/logux"
  secret = env("LOGUX_CONTROL_SECRET")
}
upstream "logux_server" "node" { # the Logux server
  url    = "http://127.0.0.1:31337/"
  secret = env("LOGUX_CONTROL_SECRET")
  mirror = ["users/*"] # what is said here on these channels reaches its clients
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
plugin "logux" {
  route "/logux" { # asked by the Logux server; what the back-end resends is said here too
    role     = "backend"
    listener = listener.internal
    upstream = upstream.logux.app
    push     = upstream.logux_server.node
    config {
      secret = env("LOGUX_CONTROL_SECRET")
    }
  }
  route "/relay" { # actions of the back-end: for the Logux server, and said here too
    role     = "relay"
    listener = listener.internal
    upstream = upstream.logux_server.node
    config {
      secret = env("LOGUX_CONTROL_SECRET")
    }
  }
}
