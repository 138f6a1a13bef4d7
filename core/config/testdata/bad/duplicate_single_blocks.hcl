listener "public" {
  address = "127.0.0.1:6789"
}
admin {
  address = "127.0.0.1:6780"
}
admin {
  address = "127.0.0.1:6781"
}
shutdown {}
shutdown {}
plugin "ctproto" {
  config {}
  config {}
}
