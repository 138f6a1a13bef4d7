package logux

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// AppendCookies appends the value of an HTTP header Cookie as the JSON object that an auth command
// has: names with their values, as Logux servers read them. Double quotes around a value go, then its
// percent escapes are decoded, unless one of them is wrong: then it stays as it is. Of cookies with
// one name the first counts. Parts without "=" are dropped. Names are taken as they are: decoded, they
// could pass for those of cookies that only the site itself can set.
func AppendCookies(dst []byte, header string) []byte {
	dst = append(dst, '{')
	seen := make(map[string]struct{})
	for part := range strings.SplitSeq(header, ";") {
		name, value, ok := strings.Cut(part, "=")
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		if _, again := seen[name]; !ok || again {
			continue
		}
		if len(seen) > 0 {
			dst = append(dst, ',')
		}
		seen[name] = struct{}{}
		dst = append(rawjson.AppendString(dst, name), ':')
		dst = rawjson.AppendString(dst, cookieValue(value))
	}
	return append(dst, '}')
}

func cookieValue(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	if decoded, err := url.PathUnescape(value); err == nil && utf8.ValidString(decoded) {
		return decoded
	}
	return value
}
