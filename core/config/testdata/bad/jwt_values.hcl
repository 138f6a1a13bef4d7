listener "public" {
  address = "127.0.0.1:6789"
}

auth "jwt" "site" {
  jwks_url  = "https://id.example/jwks.json"
  issuer    = ""
  audience  = ["realtime"]
  leeway    = "1h"
  on_expire = "stay"
  on_expiry = "keep"
}
