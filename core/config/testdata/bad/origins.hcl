listener "public" {
  address = "127.0.0.1:6789"
  origins = [
    "*",
    "https://app.example",
    "app.example",
    "https://app.example/",
    "https://app.example/path?x",
    "ftp://app.example",
    "https://*",
    "https://*.example",
    "https://app*.example.com",
    "https://*.*.example.com",
    "https://bücher.example",
    "https://user@app.example",
    "https://app.example:",
    "null",
    "",
  ]
}
