package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzBasicCredentials(f *testing.F) {
	for _, s := range []string{
		"", "Basic", "Basic ", "basic  " + basicHeader("a:b")[6:], basicHeader("a:b"), basicHeader("a"), basicHeader(":"),
		basicHeader("é:日本:x"), basicHeader("\xff:"), basicHeader("a:\x00"), "Bearer x", "Basic YTpi\n", "Basic YTpj",
		basicHeader(strings.Repeat("a", maxCredentials) + ":"), basicHeader(strings.Repeat("a", maxCredentials+1) + ":"),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		name, password, err := basicCredentials(header)
		isBasic := strings.EqualFold(strings.Split(header, " ")[0], "Basic")
		if errors.Is(err, errNoBasic) == isBasic {
			t.Fatalf("%q: %v, basic is %v", header, err, isBasic)
		}
		if err != nil {
			return
		}
		if strings.Contains(name, ":") || len(name)+len(password) > maxCredentials || !utf8.ValidString(name+password) {
			t.Errorf("%q: name %q, password %q", header, name, password)
		}
		if again := base64.StdEncoding.EncodeToString([]byte(name + ":" + password)); again != strings.Trim(header[6:], " ") {
			t.Errorf("%q was read as %q:%q, which is %q", header, name, password, again)
		}
	})
}
