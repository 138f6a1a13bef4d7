listener "public" {
  address = "127.0.0.1:6789"
}

auth "jwt" "a" {
  jwks_url   = "https://id.example/jwks.json"
  algorithms = ["RS256", "none", "HS256", "RS255", "rs256", "X"]
}
auth "jwt" "b" {
  secret     = "hunter2-hunter2-hunter2-hunter2-hunter2"
  algorithms = ["HS256", "ES256"]
}
auth "jwt" "c" {
  jwks_url   = "https://id.example/jwks.json"
  algorithms = []
}
auth "jwt" "d" {
  jwks_url   = "https://id.example/jwks.json"
  algorithms = "RS256"
}
