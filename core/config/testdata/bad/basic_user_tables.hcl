listener "public" {
  address = "127.0.0.1:6789"
}

auth "basic" "ops" {
  users = {
    a = { passwort = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt" }
    b = {}
    c = {
      password = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
      roles    = []
    }
    d = {
      password = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
      allow    = ["10.0.0.1/8"]
    }
    e = {
      password = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
      allow    = []
    }
    f = {
      password = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
      channels = ["$SYS", "news"]
    }
    g = {
      password = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
      topics   = "inbox"
    }
    h = {
      password = ["hunter2"]
    }
    i = {
      password = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
      hunter2  = true
    }
    j = {
      password = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
      password = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
    }
  }
}
