package logux

// seedPush is what the back-end of the published examples posts, as it is on the wire.
const seedPush = `{
  "version": 1,
  "secret": "secret",
  "commands": [
    [
      "action",
      { "type": "user/name", "user": 38, "name": "The User" },
      { "clients": ["38:Y7bysd"] }
    ]
  ]
}`
