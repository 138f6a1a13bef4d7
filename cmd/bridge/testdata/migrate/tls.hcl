# In place of @logux/server, written by `bridge migrate logux`. Check it: bridge validate
# Paths of the certificate and its key are relative to the folder of this file.

listener "public" { # clients connect here
  address = "[::]:443"
  # origins         = ["https://app.example"] # where pages come from that are not of this host
  # trusted_proxies = ["127.0.0.1"]           # a proxy in front, as nginx
  tls {
    cert_file = "cert.pem"
    key_file  = "key.pem"
  }
}

upstream "logux" "app" {
  url     = "https://app.example/logux"
  secret  = env("LOGUX_CONTROL_SECRET") # the back-end has the same
  version = 4                           # as @logux/server 0.9 to 0.13 asks; 3 if it was 0.7 or 0.8
}

plugin "logux" {
  route "/*" { # clients; POST / from back-ends; GET /health
    role     = "server"
    upstream = upstream.logux.app
    config {
      control_mask = ["10.0.0.0/8", "127.0.0.1/8"]
    }
  }
}
