package logux

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAppendCookies(t *testing.T) {
	t.Parallel()
	tests := []struct{ header, want string }{
		{``, `{}`},
		{`a=%20b%3D; q="quoted"; dup=1; dup=2; bad=%zz; nov`, `{"a":" b=","q":"quoted","dup":"1","bad":"%zz"}`},
		{`a=%20b; q="x"; d=1; d=2`, `{"a":" b","q":"x","d":"1"}`},
		{"a=1;b=2 ;\tc=3\t; ;;d=", `{"a":"1","b":"2","c":"3","d":""}`},
		{`a=b=c`, `{"a":"b=c"}`},
		{`a = b `, `{"a":"b"}`},
		{`=x; =y`, `{"":"x"}`},
		{`plus=a+b; amp=a%26b; semi=a%3Bb`, `{"plus":"a+b","amp":"a&b","semi":"a;b"}`},
		{`q="; r=""; s="a; t=a"; u="%22"`, `{"q":"\"","r":"","s":"\"a","t":"a\"","u":"\""}`},
		{`half=%4; none=%; one=%41%zz; high=%ff; e=%C3%A9`, `{"half":"%4","none":"%","one":"%41%zz","high":"%ff","e":"é"}`},
		{`%61=1; a=2`, `{"%61":"1","a":"2"}`},
		{"a=\xff; \xff=b", "{\"a\":\"\uFFFD\",\"\uFFFD\":\"b\"}"},
		{"a=%00%0a", `{"a":"\u0000\n"}`},
		{`A=1; a=2`, `{"A":"1","a":"2"}`},
	}
	for _, test := range tests {
		got := string(AppendCookies(nil, test.header))
		if got != test.want || !json.Valid([]byte(got)) {
			t.Errorf("%q is %s, want %s", test.header, got, test.want)
		}
	}
}

func FuzzAppendCookies(f *testing.F) {
	for _, header := range []string{``, `a=%20b%3D; q="quoted"; dup=1; dup=2; bad=%zz; nov`, "=\xff;%ff=\"", `a="%22;"`, ";;=;\t"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		var got map[string]string
		object := AppendCookies(nil, header)
		if err := json.Unmarshal(object, &got); err != nil {
			t.Fatalf("%q is %q: %v", header, object, err)
		}
		if len(got) > strings.Count(header, "=") {
			t.Errorf("%q has the cookies %q", header, got)
		}
	})
}
