package redact_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/internal/redact"
)

const plain = "hunter2"

type holder struct {
	Name string
	Key  redact.Secret
	List []redact.Secret
	Ptr  *redact.Secret
}

func TestSecretPrintsAsStars(t *testing.T) {
	t.Parallel()
	s := redact.Secret(plain)
	h := holder{Name: "x", Key: s, List: []redact.Secret{s}, Ptr: &s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%c", "%U", "%t", "%T", "%20s", "%-3.2s", "%!"} {
		for _, v := range []any{s, &s, h, &h, []redact.Secret{s}, map[string]redact.Secret{"k": s}, map[redact.Secret]int{s: 1}, [1]redact.Secret{s}, any(s)} {
			got := fmt.Sprintf(verb, v)
			checkHidden(t, verb, got)
		}
	}
	checkHidden(t, "Sprint", fmt.Sprint(s, h, s.String(), s.GoString()))
	checkHidden(t, "Errorf", errors.Join(fmt.Errorf("key %v", s)).Error())
	if got := fmt.Sprintf("%s", s); got != redact.Stars {
		t.Errorf("%%s = %q", got)
	}
}

func TestSecretMarshalsAsStars(t *testing.T) {
	t.Parallel()
	s := redact.Secret(plain)
	h := holder{Name: "x", Key: s, List: []redact.Secret{s}, Ptr: &s}
	j, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	checkHidden(t, "json", string(j))
	if want := `{"Name":"x","Key":"***","List":["***"],"Ptr":"***"}`; string(j) != want {
		t.Errorf("json = %s, want %s", j, want)
	}
	x, err := xml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	checkHidden(t, "xml", string(x))

	var buf bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&buf, nil), slog.NewJSONHandler(&buf, nil)} {
		slog.New(handler).Info("m", "secret", s, "holder", h, "list", h.List)
	}
	checkHidden(t, "slog", buf.String())
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		secret redact.Secret
		given  string
		want   bool
	}{
		{plain, plain, true},
		{plain, "hunter3", false},
		{plain, "", false},
		{plain, plain + "x", false},
		{"", "", false},
		{"", "x", false},
	}
	for _, tt := range tests {
		if got := tt.secret.Equal(tt.given); got != tt.want {
			t.Errorf("Secret(%q).Equal(%q) = %v, want %v", tt.secret.Reveal(), tt.given, got, tt.want)
		}
	}
	if redact.Secret(plain).Reveal() != plain {
		t.Error("Reveal does not give the value back")
	}
}

func checkHidden(t *testing.T, what, got string) {
	t.Helper()
	if strings.Contains(got, plain) || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", plain)) {
		t.Errorf("%s shows the secret: %s", what, got)
	}
}
