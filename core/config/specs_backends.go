package config

var authSpec = &BlockSpec{
	Type: "auth", Labels: []string{"KIND", "NAME"},
	Doc: "Who says who a client is. Identities of different auth blocks are different people.",
	Kinds: []*BlockSpec{
		{
			Type: "auth", Kind: "static", Labels: []string{"KIND", "NAME"},
			Doc: "A table of tokens, to try things out on one machine: refused on listeners that others can reach.",
			Example: `auth "static" "dev" {
  tokens = { good-token = "38" }
}`,
			Attrs: []AttrSpec{
				{Name: "tokens", Type: "table of texts", Required: true, Secret: true, Example: `{ good-token = "38" }`, Doc: "user ids by token"},
			},
		},
		{
			Type: "auth", Kind: "basic", Labels: []string{"KIND", "NAME"},
			Doc: "Names and passwords of programs: for APIs and the admin address. A user is a hash, or a table with `password` (the hash), " +
				"`roles` (of the protocol; all by default), `allow` (networks; everywhere by default), `channels` and `topics` (patterns; all by default, `[]` is none). " +
				"`htpasswd -nBC 12 NAME` makes a hash, behind the colon.",
			Example: `auth "basic" "ops" {
  users = {
    ops     = env("OPS_PASSWORD_HASH")
    console = { password = env("CONSOLE_PASSWORD_HASH"), roles = ["read"], allow = ["10.0.0.0/8"], channels = ["news"], topics = [] }
  }
}`,
			Attrs: []AttrSpec{{
				Name: "users", Type: "table of users", Required: true, Secret: true, Example: `{ ops = "$2y$12$…" }`,
				Doc: "users by name, with their passwords as bcrypt hashes (cost 10 to 16) or argon2id PHC strings",
			}},
		},
		{
			Type: "auth", Kind: "jwt", Labels: []string{"KIND", "NAME"},
			Doc: "Signed tokens. Exactly one of `secret`, `public_key_file` and `jwks_url` says who signs them; a token needs `exp`.",
			Example: `auth "jwt" "site" {
  jwks_url = "https://id.example/jwks.json"
  issuer   = "https://id.example/"
  audience = "realtime"
}`,
			Attrs: []AttrSpec{
				{Name: "secret", Type: "secret", Secret: true, Default: "none", Example: `env("JWT_SECRET")`, Doc: "shared with who signs: 32 bytes or more"},
				{Name: "public_key_file", Type: "path", Default: "none", Example: `"site.pem"`, Doc: "public keys of who signs: PEM, a JWK or a JWK set"},
				{Name: "jwks_url", Type: "URL", Default: "none", Example: `"https://id.example/jwks.json"`, Doc: "public keys of who signs, as a JWK set; https, but on this machine"},
				{Name: "issuer", Type: "text", Default: "any", Example: `"https://id.example/"`, Doc: "what `iss` must be"},
				{Name: "audience", Type: "text", Default: "any", Example: `"realtime"`, Doc: "what `aud` must hold"},
				{Name: "algorithms", Type: "list of texts", Default: "those of the key", Example: `["RS256"]`, Doc: "what tokens may be signed with; HS… only with `secret`, others only with keys"},
				{Name: "leeway", Type: "duration", Default: `"10s"`, Example: `"10s"`, Doc: "by how much clocks may differ"},
				{Name: "user_id", Type: "expression", Default: "claims.sub", Example: "claims.sub", Doc: "the user id; over `claims`"},
				{Name: "on_expire", Type: `"close" or "keep"`, Default: `"close"`, Example: `"keep"`, Doc: "what happens to a session when its token expires"},
			},
		},
		{
			Type: "auth", Kind: "http", Labels: []string{"KIND", "NAME"},
			Doc: "Asks a back-end by the JSON contract's `authorize`.",
			Example: `auth "http" "hook" {
  url    = "http://127.0.0.1:3000/ws-auth"
  secret = env("BRIDGE_HOOK_SECRET")
}`,
			Attrs: httpAttrs,
		},
		{
			Type: "auth", Kind: "logux", Labels: []string{"KIND", "NAME"},
			Doc: "Asks the `auth` command of a Logux back-end. A route with a Logux upstream and no `auth` has this one, also without a block.",
			Example: `auth "logux" "app" {
  upstream = upstream.logux.app
}`,
			Attrs: []AttrSpec{
				{Name: "upstream", Type: `reference to an upstream "logux"`, Required: true, Example: "upstream.logux.app", Doc: "the back-end that is asked"},
			},
		},
	},
}

var upstreamSpec = &BlockSpec{
	Type: "upstream", Labels: []string{"KIND", "NAME"},
	Doc: "An existing server that plugins talk to. Bridge makes the calls: it keeps connections, bounds and times them, and follows no redirects.",
	Kinds: []*BlockSpec{
		{
			Type: "upstream", Kind: "logux", Labels: []string{"KIND", "NAME"},
			Doc: "A back-end that speaks the Logux back-end protocol, such as one with logux_rails, logux-django or logux-laravel.",
			Example: `upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = env("LOGUX_CONTROL_SECRET")
}`,
			Attrs: []AttrSpec{
				urlAttr, sentSecretAttr, versionAttr, connectTimeoutAttr,
				{Name: "timeout", Type: "duration", Default: `"10s"`, Example: `"10s"`, Doc: "until the first answer"},
				{Name: "idle_timeout", Type: "duration", Default: `"30s"`, Example: `"30s"`, Doc: "between answers"},
				maxConnectionsAttr,
				{Name: "batch", Type: "whole number", Default: "1", Example: "10", Doc: "commands in a request; more for back-ends that answer in parallel"},
			},
		},
		{
			Type: "upstream", Kind: "logux_server", Labels: []string{"KIND", "NAME"},
			Doc: "An existing Logux server: actions are posted to it.",
			Example: `upstream "logux_server" "node" {
  url    = "http://127.0.0.1:31338/"
  secret = env("LOGUX_CONTROL_SECRET")
  mirror = ["users/*"]
}`,
			Attrs: []AttrSpec{
				urlAttr, sentSecretAttr, versionAttr,
				{Name: "mirror", Type: "list of patterns", Default: "none", Example: `["users/*"]`, Doc: "what is published on these channels reaches its clients too"},
				connectTimeoutAttr, answerTimeoutAttr,
			},
		},
		{
			Type: "upstream", Kind: "http", Labels: []string{"KIND", "NAME"},
			Doc: "A back-end that speaks the JSON contract, the same for every protocol.",
			Example: `upstream "http" "api" {
  url    = "http://127.0.0.1:3000/messages"
  secret = env("BRIDGE_HOOK_SECRET")
}`,
			Attrs: httpAttrs,
		},
		{
			Type: "upstream", Kind: "dev", Labels: []string{"KIND", "NAME"},
			Doc:     "Built in, to try things out: approves everything and sends back what it gets.",
			Example: `upstream "dev" "echo" {}`,
		},
	},
}

// Attributes that several backends have.
var (
	urlAttr            = AttrSpec{Name: "url", Type: "URL", Required: true, Example: `"http://127.0.0.1:3000/logux"`, Doc: "where it is, http or https"}
	sentSecretAttr     = AttrSpec{Name: "secret", Type: "secret", Required: true, Secret: true, Example: `env("LOGUX_CONTROL_SECRET")`, Doc: "what it knows Bridge by"}
	versionAttr        = AttrSpec{Name: "version", Type: "whole number", Default: "4", Example: "4", Doc: "of the Logux back-end protocol, 1 to 4"}
	connectTimeoutAttr = AttrSpec{Name: "connect_timeout", Type: "duration", Default: `"2s"`, Example: `"2s"`, Doc: "until a connection is there"}
	answerTimeoutAttr  = AttrSpec{Name: "timeout", Type: "duration", Default: `"10s"`, Example: `"10s"`, Doc: "until the whole answer"}
	maxConnectionsAttr = AttrSpec{Name: "max_connections", Type: "whole number", Default: "64", Example: "64", Doc: "requests at a time; others wait"}
)

// httpAttrs are those of a back-end that speaks the JSON contract.
var httpAttrs = []AttrSpec{
	{Name: "url", Type: "URL", Required: true, Example: `"http://127.0.0.1:3000/messages"`, Doc: "where requests are posted, http or https"},
	{Name: "secret", Type: "secret", Required: true, Secret: true, Example: `env("BRIDGE_HOOK_SECRET")`, Doc: "signs each request"},
	connectTimeoutAttr, answerTimeoutAttr, maxConnectionsAttr,
}
