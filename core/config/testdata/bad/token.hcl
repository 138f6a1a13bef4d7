listener "public" {
  address = "127.0.0.1:6789"
}

auth "static" "dev" {
  tokens = { hunter2 = "38" }
}
plugin "ctproto" {
  route "/a" {
    role = "api"
    auth = auth.static.dev
    config {
      token = payload.token
    }
  }
  route "/b" {
    role = "api"
    auth = auth.static.dev
    config {
      token = request.query.token
    }
  }
  route "/c" {
    role = "api"
    auth = auth.static.dev
    config {
      token = coalesce(request.cookie.session, user.id)
    }
  }
  route "/d" {
    role = "api"
    auth = auth.static.dev
    config {
      token = requst.bearer
    }
  }
  route "/e" {
    auth = auth.static.dev
    config {
      token = payload.token
    }
  }
}
