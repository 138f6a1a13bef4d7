package mesh

import (
	"slices"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// claim is a list of texts among the claims of an identity; ok is false where there is none.
func claim(id *sdk.Identity, name string) (list []string, ok bool) {
	for key, value := range rawjson.Members(id.Claims) {
		if !rawjson.Equal(key, name) {
			continue
		}
		list, ok = nil, rawjson.KindOf(value) == rawjson.Array
		for element := range rawjson.Elements(value) {
			if text, isText := rawjson.Text(element); isText {
				list = append(list, string(text))
			}
		}
	}
	return list, ok
}

// mayWrite says whether a user may do more than look. Without an identity it is whoever the core let in:
// the route has no auth, which it may on loopback alone.
func mayWrite(id *sdk.Identity) bool {
	if id == nil {
		return true
	}
	roles, _ := claim(id, "roles")
	return slices.Contains(roles, "write")
}

// mayRead says whether a user may look.
func mayRead(id *sdk.Identity) bool {
	if mayWrite(id) {
		return true
	}
	roles, _ := claim(id, "roles")
	return slices.Contains(roles, "read")
}

// mayConsume says whether a user may consume the topics: all of them where the claims name none.
func mayConsume(id *sdk.Identity, topics []string) bool {
	if id == nil {
		return true
	}
	patterns, bound := claim(id, "topics")
	if !bound {
		return true
	}
	for _, topic := range topics {
		if !slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, topic) }) {
			return false
		}
	}
	return true
}

// matches is as in bridge.hcl: a name for itself, or with "*" at its end all that begin so.
func matches(pattern, name string) bool {
	if prefix, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
