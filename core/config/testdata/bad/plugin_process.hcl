listener "public" {
  address = "127.0.0.1:6789"
}
plugin "a" {
  command = []
  sha256  = "abc"
}
plugin "b" {
  sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}
plugin "c" {
  env = { "A B" = "1", DB_PASSWORD = "hunter2" }
}
plugin "Big Plugin" {
  type = "big plugin"
}
