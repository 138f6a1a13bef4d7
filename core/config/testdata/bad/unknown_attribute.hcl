listener "public" {
  adress = "127.0.0.1:6789"
  colour = "blue"
}
