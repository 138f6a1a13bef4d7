listener "public" {
  address = "127.0.0.1:6789"
}
upstream "logux" "a" {
  url    = "localhost:3000/logux"
  secret = "s3"
}
upstream "logux" "b" {
  url    = "http://admin:hunter2@127.0.0.1/logux"
  secret = "s3"
}
upstream "logux" "c" {
  url    = "http:///logux"
  secret = "s3"
}
upstream "logux" "d" {
  url    = "http://127.0.0.1/#logux"
  secret = "s3"
}
