# What `bridge` runs when it is started in this folder. It needs no environment and no other
# service: everything is on this machine, and the back-end is a built-in one that echoes.

data_dir = "data" # embedded stores and the control socket, beside this file

# Clients connect here: CTProto's to ws://127.0.0.1:6789/client, Logux' to ws://127.0.0.1:6789/
listener "public" {
  address = "127.0.0.1:6789"
  default = true # for routes that name no listener
}

# Your back-end connects here: http://127.0.0.1:6781/ctproto/v1/updates, and for Logux
# http://127.0.0.1:6781/
listener "internal" {
  address = "127.0.0.1:6781"
}

# Raw TCP, a frame a line: for clients of the original chat
listener "legacy" {
  address = "127.0.0.1:7000"
  framing = "lines"
}

# For you: /health, /ready, /metrics and the API
admin {
  address = "127.0.0.1:6780"
}

# Who a client is. A table of tokens and user ids is good for trying things out on one machine;
# on a listener that others can reach it is refused.
auth "static" "dev" {
  tokens = { good-token = "38" }
}

# Who may push: here the user "back-end" with the password "good-password". A hash of your own is made
# by: htpasswd -nbBC 12 back-end PASSWORD | cut -d: -f2
auth "basic" "ops" {
  users = { back-end = "$2a$10$2nCjQA/tHseLLFEtFQEGS.3Rv3OpgB9dYf4Nk0XxmX7CS9kt/1uKm" }
}

# Whom messages go to. "dev" approves everything and sends back what it gets.
upstream "dev" "echo" {}

# A real back-end, for example a Rails application with logux_rails:
#
# upstream "logux" "app" {
#   url    = "http://127.0.0.1:3000/logux"
#   secret = env("LOGUX_CONTROL_SECRET") # the back-end has the same
# }
#
# Then say `upstream = upstream.logux.app` in the route below.

plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.dev.echo
    channels = ["user/${user.id}"] # joined by each session once it is authorized

    config {
      authorize_timeout = "3s"
      token             = payload.token # where an authorize message has the token
      errors            = "message"     # "silent" answers failed messages with nothing
    }
  }
  route "/ctproto/v1/" { # updates and closes, from your back-end
    role     = "api"
    auth     = auth.basic.ops
    listener = listener.internal
  }
}

# Clients that speak no protocol: what they send goes to a queue, and your back-end consumes it, sends to
# single clients and publishes to channels, over HTTP and WebSocket.
plugin "mesh" {
  config {
    topic_size = 2000 # messages that may wait
    max_topics = 100
  }
  route "/v1/" { # beyond loopback: listener = listener.internal
    also = ["/ws/v1", "/version"]
    role = "api"
    auth = auth.basic.ops
  }
  route "/mesh" {
    role = "client"
    auth = auth.none # everyone
    config {
      topic = "inbox"
    }
  }
}

# Rooms to talk in, with accounts of their own: ws://127.0.0.1:6789/chat
plugin "chat" {
  config {
    database = "sqlite:chat.db" # in data_dir; or postgres://…
    signup   = true
  }
  route "/chat" {}
  route "/" { # the form of the original's clients
    listener = listener.legacy
  }
}

plugin "logux" {
  route "/*" { # what no other route takes
    role     = "server"
    auth     = auth.static.dev
    upstream = upstream.dev.echo
    channels = ["user/${user.id}"]

    config {
      env = "development" # clients take ws:// only then; "production" behind TLS
    }
  }
  route "/" { # actions for clients, from your back-end
    role     = "control"
    listener = listener.internal

    config {
      control_secret = "only-on-this-machine" # or env("LOGUX_CONTROL_SECRET")
    }
  }
}
