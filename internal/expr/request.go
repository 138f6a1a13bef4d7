package expr

import (
	"iter"
	"net"
	"net/url"
	"strings"
)

// RequestInfo is what the variable `request` is made of.
type RequestInfo struct {
	Method, Path, Query, Host string
	RemoteAddress             string                    // host:port; the variable has the host
	Headers                   iter.Seq2[string, string] // names in lower case
}

// Request is the variable `request`: of headers, cookies and query parameters that come more than
// once the first counts.
func Request(r RequestInfo) Value {
	headers, cookies := make(map[string]string), make(map[string]string)
	for name, value := range r.Headers {
		first(headers, name, value)
		if name != "cookie" {
			continue
		}
		for pair := range strings.SplitSeq(value, ";") {
			if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
				first(cookies, name, value)
			}
		}
	}
	query := make(map[string]string)
	// What of the query can be read counts: a bad escape in one pair does not hide the others.
	values, _ := url.ParseQuery(r.Query)
	for name, list := range values {
		query[name] = list[0]
	}
	members := map[string]Value{
		"method": Text(r.Method), "path": Text(r.Path), "host": Text(r.Host),
		"query": Object(query), "headers": Object(headers), "cookie": Object(cookies),
	}
	if scheme, token, ok := strings.Cut(headers["authorization"], " "); ok && strings.EqualFold(scheme, "bearer") {
		members["bearer"] = Text(strings.TrimSpace(token))
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddress); err == nil {
		members["remote_address"] = Text(host)
	}
	return Nested(members)
}

func first(m map[string]string, name, value string) {
	if _, twice := m[name]; !twice {
		m[name] = value
	}
}
