listener "public" {
  address = "127.0.0.1:0"
}
plugin "ctproto" {
  route "/" {
    auth = auth.none
    config {
      token = <<-EOT
        ${payload.token}
      EOT
    }
  }
}
