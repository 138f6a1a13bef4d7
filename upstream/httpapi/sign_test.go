package httpapi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream/httpapi"
)

func TestAppendSignature(t *testing.T) {
	t.Parallel()
	now := time.Unix(1560954012, 838)
	// What openssl makes of "1560954012.{}": dgst -sha256 -hmac new
	const (
		first  = "t=1560954012,v1=e16e3f4d9783726c3ac72c8811251d414f096bec90aa6dda6a9dbf61ccb1fe67"
		second = ",v1=c9030dd22612824025a4786baa53d2371812554e5a5375a3f341281ea8cfeb65"
	)
	if got := string(httpapi.AppendSignature(nil, now, []byte("{}"), "new")); got != first {
		t.Errorf("the signature is %s, want %s", got, first)
	}
	if got := string(httpapi.AppendSignature(nil, now, []byte("{}"), "new", "old")); got != first+second {
		t.Errorf("with two secrets it is %s, want %s", got, first+second)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1560954012, 0)
	body := []byte(`{"version":1}`)
	sign := func(secrets ...string) string { return string(httpapi.AppendSignature(nil, now, body, secrets...)) }
	good := sign("new")
	_, v1, _ := strings.Cut(good, ",")
	tests := []struct {
		name    string
		header  string
		body    string
		at      time.Duration
		secrets []string
		want    error
	}{
		{"good", good, string(body), 0, []string{"new"}, nil},
		{"five minutes late", good, string(body), 5 * time.Minute, []string{"new"}, nil},
		{"five minutes early", good, string(body), -5 * time.Minute, []string{"new"}, nil},
		{"the back-end has the new secret already", sign("old"), string(body), 0, []string{"new", "old"}, nil},
		{"the back-end has the old secret still", sign("new", "old"), string(body), 0, []string{"old"}, nil},
		{"unknown parts", "v0=1, " + good + ",v2=abc", string(body), 0, []string{"new"}, nil},
		{"capital digits", strings.Replace(good, v1, "v1="+strings.ToUpper(v1[3:]), 1), string(body), 0, []string{"new"}, nil},

		{"too late", good, string(body), 5*time.Minute + time.Second, []string{"new"}, httpapi.ErrTime},
		{"too early", good, string(body), -5*time.Minute - time.Second, []string{"new"}, httpapi.ErrTime},
		{"another secret", good, string(body), 0, []string{"other"}, httpapi.ErrSignature},
		{"another body", good, string(body) + " ", 0, []string{"new"}, httpapi.ErrSignature},
		{"no body", good, "", 0, []string{"new"}, httpapi.ErrSignature},
		{"another time", strings.Replace(good, "2,", "3,", 1), string(body), 0, []string{"new"}, httpapi.ErrSignature},
		{"no secret", good, string(body), 0, nil, httpapi.ErrSignature},
		{"an empty secret", sign(""), string(body), 0, []string{""}, httpapi.ErrSignature},
		{"nothing", "", string(body), 0, []string{"new"}, httpapi.ErrSignature},
		{"no time", v1, string(body), 0, []string{"new"}, httpapi.ErrSignature},
		{"no sum", "t=1560954012", string(body), 0, []string{"new"}, httpapi.ErrSignature},
		{"half a sum", good[:len(good)-2], string(body), 0, []string{"new"}, httpapi.ErrSignature},
		{"an empty sum", "t=1560954012,v1=", string(body), 0, []string{"new"}, httpapi.ErrSignature},
		{"a sum that is none", "t=1560954012,v1=xyz", string(body), 0, []string{"new"}, httpapi.ErrSignature},
		{"a time that is none", strings.Replace(good, "t=", "t=x", 1), string(body), 0, []string{"new"}, httpapi.ErrSignature},
		{"another version", strings.Replace(good, "v1=", "v2=", 1), string(body), 0, []string{"new"}, httpapi.ErrSignature},
	}
	for _, test := range tests {
		got := httpapi.Verify(test.header, []byte(test.body), now.Add(test.at), 0, test.secrets...)
		if !errors.Is(got, test.want) {
			t.Errorf("%s: %q is %v, want %v", test.name, test.header, got, test.want)
		}
	}
	if err := httpapi.Verify(good, body, now.Add(2*time.Second), time.Second, "new"); !errors.Is(err, httpapi.ErrTime) {
		t.Errorf("a tolerance of 1 s: %v", err)
	}
}

func ExampleVerify() {
	body := []byte(`{"version":1,"event":"message"}`)
	header := string(httpapi.AppendSignature(nil, time.Now(), body, "new", "old"))
	fmt.Println(httpapi.Verify(header, body, time.Now(), 0, "old"))
	fmt.Println(httpapi.Verify(header, []byte(`{}`), time.Now(), 0, "old"))
	// Output:
	// <nil>
	// the signature is missing or wrong
}

func FuzzVerify(f *testing.F) {
	now := time.Unix(1560954012, 0)
	good := string(httpapi.AppendSignature(nil, now, []byte("{}"), "new", "old"))
	f.Add(good, []byte("{}"))
	f.Add("t=1560954012,v1=", []byte(""))
	f.Add("t=-9223372036854775808,v1=00,v1=zz,,=,t", []byte("x"))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if httpapi.Verify(header, body, now, time.Hour, "unknown to the one who wrote it") == nil {
			t.Errorf("%q is a signature of %q", header, body)
		}
		if err := httpapi.Verify(string(httpapi.AppendSignature(nil, now, body, "s")), body, now, 0, "s"); err != nil {
			t.Errorf("our own signature of %q: %v", body, err)
		}
	})
}
