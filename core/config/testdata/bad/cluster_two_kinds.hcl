listener "public" {
  address = "127.0.0.1:6789"
}

cluster {
  name    = "main"
  listen  = "127.0.0.1:6222"
  routes  = ["nats://127.0.0.1:6222"]
  servers = ["nats://app:hunter2@nats.internal:4222"]
}
