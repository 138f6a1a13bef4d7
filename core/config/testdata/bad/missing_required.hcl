listener "public" {}
admin {}
auth "static" "dev" {}
upstream "logux" "app" {}
