package sdk

import (
	"net"
	"net/url"
	"strings"

	"github.com/protocol-bridge/bridge/sdk/spec"
)

// variable is the value of one of the variables that are known of every session; null for others.
func (c *Conn) variable(name string) spec.Value {
	id := c.Identity()
	switch name {
	case "user":
		if id == nil {
			return spec.Value{}
		}
		return spec.Object(map[string]spec.Value{"id": spec.Text(id.UserID), "claims": spec.JSON(id.Claims)})
	case "claims":
		if id == nil {
			return spec.Value{}
		}
		return spec.JSON(id.Claims)
	case "session":
		return spec.Object(map[string]spec.Value{"id": spec.Text(idText(c.ID()))})
	case "context":
		if c.p == nil {
			return spec.Value{}
		}
		members := make(map[string]spec.Value, len(c.p.context))
		for k, v := range c.p.context {
			members[k] = spec.Text(string(v))
		}
		return spec.Object(members)
	case "request":
		return c.Info().value()
	}
	return spec.Value{}
}

// value is the variable `request`.
func (i *SessionInfo) value() spec.Value {
	headers := make(map[string]spec.Value, len(i.Headers))
	cookies := make(map[string]spec.Value)
	for _, h := range i.Headers {
		if _, ok := headers[h.Name]; !ok {
			headers[h.Name] = spec.Text(h.Value)
		}
		if h.Name == "cookie" {
			for pair := range strings.SplitSeq(h.Value, ";") {
				if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
					cookies[name] = spec.Text(value)
				}
			}
		}
	}
	query := make(map[string]spec.Value)
	// What of the query can be read counts: a bad escape in one pair does not hide the others.
	values, _ := url.ParseQuery(i.Query)
	for name, list := range values {
		query[name] = spec.Text(list[0])
	}
	members := map[string]spec.Value{
		"method":  spec.Text(i.Method),
		"path":    spec.Text(i.Path),
		"host":    spec.Text(i.Host),
		"query":   spec.Object(query),
		"headers": spec.Object(headers),
		"cookie":  spec.Object(cookies),
	}
	if scheme, token, ok := strings.Cut(i.Header("authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		members["bearer"] = spec.Text(strings.TrimSpace(token))
	}
	if host, _, err := net.SplitHostPort(i.RemoteAddress); err == nil {
		members["remote_address"] = spec.Text(host)
	}
	return spec.Object(members)
}
