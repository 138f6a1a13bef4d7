listener "public" {
  address = "127.0.0.1:6789"
}

plugin "ctproto" {
  route "/a" {
    auth = auth.none
    limits {
      rate         = "100"
      max_sessions = 0
    }
  }
  route "/b" {
    auth = auth.none
    limits {
      rate         = "0/s"
      max_sessions = "many"
    }
  }
  route "/c" {
    auth = auth.none
    limits {
      rate      = 100
      max_frames = 3
    }
  }
  route "/d" {
    auth = auth.none
    limits {
      rate = "5/min"
    }
    limits {}
  }
}
