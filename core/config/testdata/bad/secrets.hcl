listener "public" {
  address = "127.0.0.1:6789"
}
upstream "logux" "a" {
  url    = "http://127.0.0.1:3000/logux"
  secret = env("BRIDGE_TEST_EMPTY")
}
upstream "logux" "b" {
  url    = "http://10.0.0.7:3000/logux"
  secret = "ChangeMe"
}
upstream "logux" "c" {
  url    = "http://127.0.0.1:3000/logux"
  secret = hunter2
}
upstream "logux" "d" {
  url    = "http://127.0.0.1:3000/logux"
  secret = secret_file("no/such/file")
}
upstream "logux" "e" {
  url    = "http://127.0.0.1:3000/logux"
  secret = []
}
upstream "logux" "f" {
  url     = "http://127.0.0.1:3000/logux"
  secrett = "hunter2"
}
upstream "logux" "g" {
  url    = "http://127.0.0.1:3000/logux"
  secret = ["hunter2", 38]
}
upstream "logux" "h" {
  url    = "http://127.0.0.1:3000/logux"
  secret = "${"hunter2"}${nofunc("hunter2")}"
}
