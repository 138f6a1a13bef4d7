listener "public" {
  address = "127.0.0.1:6789"
}

auth "jwt" "site" {
  issuer     = "https://id.example/"
  algorithms = ["HS256", "ES256"]
}
