listener "public" {
  address = "127.0.0.1:6789"
}

upstream "http" "a" {
  url = "http://127.0.0.1:3000/messages"
}
upstream "http" "b" {
  url     = "unix:///run/app.sock"
  secret  = ["hunter2", ""]
  version = 1
}
upstream "dev" "echo" {
  url = "http://127.0.0.1:3000/"
}
