listener "public" {
  address = "127.0.0.1:6789"
}
plugin "demo" {
  config {
    text     = 1
    flag     = "yes"
    count    = 1.5
    ratio    = "half"
    wait     = 3
    room     = "1 MB"
    names    = "a"
    labels   = ["a"]
    topic    = "x/${payloat.topic}"
    mode     = "slient"
    key      = ["hunter2", "hunter3"]
    keys     = [""]
  }
}
