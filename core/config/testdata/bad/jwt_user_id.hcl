listener "public" {
  address = "127.0.0.1:6789"
}

auth "jwt" "a" {
  jwks_url = "https://id.example/jwks.json"
  user_id  = user.id
}
auth "jwt" "b" {
  jwks_url = "https://id.example/jwks.json"
  user_id  = "38"
}
auth "jwt" "c" {
  jwks_url = "https://id.example/jwks.json"
  user_id  = "${claim.sub}"
}
