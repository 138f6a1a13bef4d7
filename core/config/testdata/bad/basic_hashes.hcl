listener "public" {
  address = "127.0.0.1:6789"
}

auth "basic" "ops" {
  users = {
    a = "$2y$09$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
    b = "$2y$31$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
    c = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hun"
    d = "$argon2id$v=19$m=64,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ"
    e = "$argon2id$v=19$m=65536,t=0,p=4$c29tZXNhbHRzb21lc2FsdA$aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ"
    f = "$argon2id$v=19$m=65536,t=3,p=0$c29tZXNhbHRzb21lc2FsdA$aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ"
    g = "$argon2id$v=19$m=4194304,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ"
    h = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ"
    i = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$a2V5"
    j = "$argon2i$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ"
    k = "$apr1$hunter2$hunter2hunter2"
    l = "{SHA}hunter2hunter2"
    m = ""
    n = "$argon2id$v=16$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ"
    o = "$2y$12$hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt"
  }
}
