listener "public" {
  address = "127.0.0.1:6789"
}

admin {
  address = "0.0.0.0:6780"
  auth    = auth.none
}
