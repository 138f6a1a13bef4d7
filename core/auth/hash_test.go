package auth

import (
	"strings"
	"testing"
)

// What other programs made of "sesame": PHP's password_hash, and crypt(3).
const (
	bcryptOfSesame = "$2y$05$AjXFrJwYn7juJNwbIQCts.7bf0KDKaddboR0Y.J78k8kgYMh18Ja."
	cryptOfSesame  = "$2b$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O"
	argonOfSesame  = "$argon2id$v=19$m=1024,t=2,p=1$UWhqNHh6d3RqcHhZM0VpSg$Pzqb3CjcWWOL8i/aG3CQKszW8b5vMUnyu5JU+ulNoaw"
)

func TestHashesOfOthers(t *testing.T) {
	for _, text := range []string{bcryptOfSesame, cryptOfSesame, argonOfSesame} {
		h, err := parseHash(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for password, want := range map[string]bool{"sesame": true, "Sesame": false, "": false, "sesames": false, text: false} {
			if got := h.matches(password); got != want {
				t.Errorf("%s matches %q: %v, want %v", text, password, got, want)
			}
		}
	}
}

func TestParseHash(t *testing.T) {
	argon := func(params string) string { return strings.Replace(argonOfSesame, "m=1024,t=2,p=1", params, 1) }
	tests := []struct {
		name, text string
		want       string // of the error
	}{
		{"empty", "", "neither"},
		{"plain", "sesame", "neither"},
		{"MD5 crypt", "$1$abc$abcdefghijklmnopqrstu/", "neither"},
		{"SHA-512 crypt", "$6$abc$def", "neither"},
		{"argon2i", strings.Replace(argonOfSesame, "argon2id", "argon2i", 1), "neither"},
		{"argon2d", strings.Replace(argonOfSesame, "argon2id", "argon2d", 1), "neither"},
		{"space before", " " + bcryptOfSesame, "neither"},
		{"bcrypt, cut", bcryptOfSesame[:59], "malformed"},
		{"bcrypt, longer", bcryptOfSesame + "x", "malformed"},
		{"bcrypt, line break", bcryptOfSesame + "\n", "malformed"},
		{"bcrypt, 2x", strings.Replace(bcryptOfSesame, "2y", "2x", 1), "malformed"},
		{"bcrypt, no minor version", strings.Replace(bcryptOfSesame, "2y", "2", 1), "malformed"},
		{"bcrypt, not base64", strings.Replace(bcryptOfSesame, "AjX", "A!X", 1), "malformed"},
		{"bcrypt, cost 3", strings.Replace(bcryptOfSesame, "$05$", "$03$", 1), "malformed"},
		{"bcrypt, cost 17", strings.Replace(bcryptOfSesame, "$05$", "$17$", 1), "more than 16"},
		{"bcrypt, cost 31", strings.Replace(bcryptOfSesame, "$05$", "$31$", 1), "more than 16"},
		{"argon2id, old version", strings.Replace(argonOfSesame, "v=19", "v=16", 1), "malformed"},
		{"argon2id, no version", strings.Replace(argonOfSesame, "$v=19", "", 1), "malformed"},
		{"argon2id, other order", argon("t=2,m=1024,p=1"), "malformed"},
		{"argon2id, negative", argon("m=-1,t=2,p=1"), "malformed"},
		{"argon2id, padding", argonOfSesame + "=", "malformed"},
		{"argon2id, loose bits", argonOfSesame[:len(argonOfSesame)-1] + "x", "malformed"},
		{"argon2id, no hash", argonOfSesame[:strings.LastIndex(argonOfSesame, "$")+1], "malformed"},
		{"argon2id, short salt", strings.Replace(argonOfSesame, "UWhqNHh6d3RqcHhZM0VpSg", "UWhq", 1), "salt of 8"},
		{"argon2id, short hash", argonOfSesame[:strings.LastIndex(argonOfSesame, "$")] + "$UWhqNHh6", "hash of 16"},
		{"argon2id, no passes", argon("m=1024,t=0,p=1"), "at least 1"},
		{"argon2id, no threads", argon("m=1024,t=2,p=0"), "at least 1"},
		{"argon2id, many threads", argon("m=9999,t=2,p=256"), "at least 1"},
		{"argon2id, little memory", argon("m=7,t=2,p=1"), "at least 1"},
		{"argon2id, much memory", argon("m=262145,t=2,p=1"), "more than"},
		{"argon2id, too much memory", argon("m=4294967295,t=2,p=1"), "malformed"},
		{"argon2id, many passes", argon("m=1024,t=65,p=1"), "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := parseHash(tt.text)
			if h != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%q: %v, %v, want an error with %q", tt.text, h, err, tt.want)
			}
			if len(tt.text) > 6 && strings.Contains(err.Error(), tt.text[len(tt.text)-6:]) {
				t.Errorf("the error shows the hash: %v", err)
			}
		})
	}
}
