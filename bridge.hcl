# What `bridge` runs when it is started in this folder. It needs no environment and no other
# service: everything is on this machine, and the back-end is a built-in one that echoes.

data_dir = "data" # embedded stores and the control socket, beside this file

# Clients connect here: ws://127.0.0.1:6789/client
listener "public" {
  address = "127.0.0.1:6789"
  default = true # for routes that name no listener
}

# Your back-end connects here: http://127.0.0.1:6781/ctproto/v1/updates
listener "internal" {
  address = "127.0.0.1:6781"
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
