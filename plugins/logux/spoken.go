package logux

import "sync"

// spoken are the subprotocols that back-ends said last when they let a client in, by route. Actions that
// back-ends make carry them. They live in the process of the plugin, as in Logux' own server; after its
// death the first events of clients bring them back.
type spoken struct {
	mu     sync.Mutex // guards routes
	routes map[string]string
}

// note takes what a back-end said.
func (k *spoken) note(route, subprotocol string) {
	if route == "" || subprotocol == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.routes == nil {
		k.routes = make(map[string]string)
	}
	k.routes[route] = subprotocol
}

// recall takes what a client was told of it, where nothing is known.
func (k *spoken) recall(route, subprotocol string) {
	k.mu.Lock()
	known := k.routes[route] != ""
	k.mu.Unlock()
	if !known {
		k.note(route, subprotocol)
	}
}

// of returns that of a route; for a control endpoint without clients of its own it is that of all others, if
// they agree. Empty: it is not known.
func (k *spoken) of(route string) (subprotocol string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if own := k.routes[route]; own != "" {
		return own
	}
	for _, text := range k.routes {
		if subprotocol != "" && subprotocol != text {
			return ""
		}
		subprotocol = text
	}
	return subprotocol
}
