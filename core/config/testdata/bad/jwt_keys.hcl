listener "public" {
  address = "127.0.0.1:6789"
}

auth "jwt" "a" {
  jwks_url = "http://id.example/jwks.json"
}
auth "jwt" "b" {
  public_key_file = "no-such-key.pem"
}
auth "jwt" "c" {
  jwks_url = "id.example/jwks.json"
}
auth "jwt" "d" {
  public_key_file = "."
}
