package expr_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/internal/expr"
)

// FuzzChannels puts values of strangers into templates of channels: no value leads out of the place
// that the template gives it, and wildcards are ordinary characters.
func FuzzChannels(f *testing.F) {
	plain := parse(f, `["user/${user.id}", "news"]`)
	escaped := parse(f, `"user/${urlencode(user.id)}/inbox"`)
	claim := parse(f, `"org/${claims.org}/all"`)
	for _, seed := range []string{
		"38", "*", ">", "a/b", "../admin", "/", "..", "a*", "$core", "", " ", "\x00", "a\nb", "%2f", "%2F..", "a|b", "…", "\xff", "a/",
		"\u2028", "user/1", strings.Repeat("x", 300), `"`, `${user.id}`, "\\u002f",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		org, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		claims := append(append([]byte(`{"org":`), org...), '}')
		scope := expr.Scope{"user": expr.Object(map[string]string{"id": id}), "claims": expr.JSON(claims)}

		names, err := plain.Channels(scope)
		switch good := channel.Check("user/"+id) == nil && !strings.Contains(id, "/"); {
		case (err == nil) != good:
			t.Errorf("id %q: %q, %v", id, names, err)
		case err == nil && (len(names) != 2 || names[0] != "user/"+id || names[1] != "news"):
			t.Errorf("id %q leads to %q", id, names)
		}

		if names, err = escaped.Channels(scope); err == nil {
			parts := strings.Split(names[0], "/")
			if len(names) != 1 || len(parts) != 3 || parts[0] != "user" || parts[2] != "inbox" {
				t.Errorf("id %q leads to %q", id, names)
			}
		} else if utf8.ValidString(id) && len(id) < 50 {
			t.Errorf("id %q is escaped, and refused: %v", id, err)
		}

		if names, err = claim.Channels(scope); err == nil && (len(names) != 1 || strings.Count(names[0], "/") != 2) {
			t.Errorf("claim %q leads to %q", id, names)
		}
	})
}
