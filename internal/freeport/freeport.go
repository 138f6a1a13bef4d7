// Package freeport finds addresses for servers that have to know each other's before they listen.
package freeport

import "net"

// Addresses are n of this machine's own, host:port, at each of which nobody listened a moment ago; an error
// where the system gives no port.
func Addresses(n int) ([]string, error) {
	list := make([]string, n)
	for i := range list {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // once all are found, so that none is twice among them
		list[i] = l.Addr().String()
	}
	return list, nil
}
