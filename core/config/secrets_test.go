package config_test

import (
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/config"
)

// marker stands in secretFile wherever there is a secret.
const marker = "HUNTER2"

const secretFile = `listener "public" {
  address = "127.0.0.1:6789"
  origins = ["https://app.example"]
}
auth "static" "dev" {
  tokens = {
    HUNTER2 = "HUNTER2" # HUNTER2
    "HUNTER2" : "x"
  }
}
auth "basic" "ops" {
  users = {
    ops     = "$2y$12$HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNT"
    console = { password = "HUNTER2", roles = ["read"], allow = ["10.0.0.1/8"] }
  }
}
auth "jwt" "site" {
  secret     = "HUNTER2"
  algorithms = ["HS256"]
}
upstream "logux" "app" {
  url    = "http://127.0.0.1:3000/logux"
  secret = ["HUNTER2", "a${env("X")}HUNTER2", <<EOT
HUNTER2
EOT
  ]
}
upstream "logux" "two" {
  secret = secret_file("x")
}
upstream "http" "api" {
  url    = "http://HUNTER2:HUNTER2@127.0.0.1:3000/"
  secret = [
    "HUNTER2",
    "HUNTER2",
  ]
}
plugin "demo" {
  env = { API_TOKEN_SECRET = "HUNTER2" }
  route "/a" {
    upstream = upstream.logux.app
  }
}
cluster {
  name    = "main"
  secret  = "HUNTER2"
  servers = ["nats://app:HUNTER2@nats.internal:4222"]
}
`

// marks are what says that something is a secret. A file in which one of them is broken says nothing
// about it.
var marks = []string{
	"tokens = {", "users = {", "secret = ", "secret     = ", "secret  = ", "SECRET = ", "password = ", "://HUNTER2:HUNTER2@", "://app:HUNTER2@",
	`upstream "logux"`, `upstream "http"`, `auth "static"`, `auth "basic"`, `auth "jwt"`, "\ncluster",
}

// breaksMark reports whether a mark of the file lies within the n bytes at a place, or beside them.
func breaksMark(file string, at, n int) bool {
	for _, mark := range marks {
		for from := 0; ; from++ {
			i := strings.Index(file[from:], mark)
			if i < 0 {
				break
			}
			from += i
			if at+n > from-2 && at < from+len(mark) {
				return true
			}
		}
	}
	return false
}

func leaks(t *testing.T, file string) string {
	t.Helper()
	_, diags := config.Parse("broken.hcl", []byte(file))
	if got := show(t, diags) + diags.Error(); strings.Contains(got, marker) {
		return got
	}
	return ""
}

// TestSecretsInBrokenFiles breaks a file with secrets at each place and looks at what is shown of it.
func TestSecretsInBrokenFiles(t *testing.T) {
	if got := leaks(t, secretFile); got != "" {
		t.Fatalf("a secret is shown:\n%s", got)
	}
	for i := range len(secretFile) {
		for j, junk := range []string{"", "\"", "}", "{", "=", "\n", "${", "\x00", "\xff", "<<", "'", "]", "["} {
			if (i+j)%16 != 0 {
				continue // a part of them is enough; FuzzEdit tries the others
			}
			n := (i + j) / 16 % 2 * max(len(junk), 1) // put in, or instead of what is there
			if breaksMark(secretFile, i, n) {
				continue
			}
			broken := secretFile[:i] + junk + secretFile[min(i+n, len(secretFile)):]
			if got := leaks(t, broken); got != "" {
				t.Fatalf("with %q for %d bytes at %d a secret is shown:\n%s", junk, n, i, got)
			}
		}
	}
}

// FuzzEdit replaces a piece of a file with secrets. What is put in may not make a new attribute,
// since a secret under another name is none that anybody could know of.
func FuzzEdit(f *testing.F) {
	for _, junk := range []string{"", "\"", "}", "]", "${", "/*", "#", "<<EOT", "null", ", ", "true", "auth.static.dev", "env(", "\x00"} {
		f.Add(uint16(20*len(junk)+7), uint8(len(junk)), junk)
	}
	f.Fuzz(func(t *testing.T, at uint16, n uint8, junk string) {
		i := int(at) % len(secretFile)
		end := min(i+int(n), len(secretFile))
		if len(junk) > 40 || strings.ContainsAny(junk, "=:\n\r") || breaksMark(secretFile, i, end-i) {
			t.Skip("makes another attribute")
		}
		if got := leaks(t, secretFile[:i]+junk+secretFile[end:]); got != "" {
			t.Fatalf("with %q for %d bytes at %d a secret is shown:\n%s", junk, end-i, i, got)
		}
	})
}
