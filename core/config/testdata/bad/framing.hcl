listener "public" {
  address = "127.0.0.1:6789"
  framing = "line"
}
listener "other" {
  address = "127.0.0.1:6790"
  framing = "websocket"
}
