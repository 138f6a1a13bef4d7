listener "public" {
  address = "127.0.0.1:6789"
}

auth "jwt" "site" {
  secret          = "hunter2-hunter2-hunter2-hunter2-hunter2"
  jwks_url        = "https://id.example/jwks.json"
  public_key_file = "testdata/good/key.pem"
}
