# Push gateway with JWT users
#
# Your back-end pushes to browsers and apps over plain HTTP. Users log in with the tokens that your
# identity provider gives them; what they send goes to your back-end as JSON.
#
#     curl -u ops:PASSWORD -H 'Content-Type: application/json' http://127.0.0.1:6781/ctproto/v1/updates \
#       -d '{"channel":"user/38","type":"invoice/paid","payload":{"id":7}}'

listener "public" { # behind your TLS proxy, which is on this machine
  address         = "127.0.0.1:6789"
  default         = true
  origins         = ["https://app.example.com"]
  trusted_proxies = ["127.0.0.1"]
}
listener "internal" { # for your back-end only
  address = "127.0.0.1:6781"
}
admin {
  address = "127.0.0.1:6780"
}

auth "jwt" "site" {
  jwks_url = "https://id.example.com/.well-known/jwks.json"
  issuer   = "https://id.example.com/"
  audience = "realtime"
}
auth "basic" "ops" {
  users = { ops = env("BRIDGE_OPS_HASH") } # made by: htpasswd -nbBC 12 ops PASSWORD | cut -d: -f2
}

upstream "http" "api" {
  url    = "http://127.0.0.1:3000/messages"
  secret = env("BRIDGE_HOOK_SECRET") # signs each request
}

plugin "ctproto" {
  route "/client" {
    auth     = auth.jwt.site
    upstream = upstream.http.api
    channels = ["user/${user.id}"]
  }
  route "/ctproto/v1/" {
    role     = "api"
    auth     = auth.basic.ops
    listener = listener.internal
  }
}
