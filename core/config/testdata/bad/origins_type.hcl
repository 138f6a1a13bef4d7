listener "public" {
  address = "127.0.0.1:6789"
  origins = "https://app.example"
}
listener "other" {
  address = "127.0.0.1:6790"
  origins = [38]
}
