package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// Listener is an address on which clients or back-ends connect.
type Listener struct {
	Name    string
	Address string // host:port
	Default bool   // routes that name no listener are on this one
	// Origins are pages that may connect besides those of the default, as "https://app.example" or
	// "https://*.example.com"; in lower case, without the scheme's own port.
	Origins []string
	// TrustedProxies are the peers whose forwarding headers are believed.
	TrustedProxies []netip.Prefix
	MaxConnections int    // 0: what the process may have
	MaxPerAddress  int    // 0: 1,000
	ProxyProtocol  bool   // connections come from TrustedProxies alone, and begin with a header of theirs
	Compression    bool   // WebSockets may compress messages, where clients offer it
	Framing        string // empty: HTTP and WebSocket; "lines": raw TCP, a frame a line
	TLS            *TLS   // nil: none
	Range          hcl.Range
}

// Loopback reports whether only this machine can connect.
func (l *Listener) Loopback() bool { return loopback(l.Address) }

// exposed reports whether a client may be on another machine.
func (l *Listener) exposed() bool { return !l.Loopback() || len(l.TrustedProxies) > 0 }

// reach says by what others get to the listener.
func (l *Listener) reach() string {
	if !l.Loopback() {
		return fmt.Sprintf("The listener %q at %s is open to others", l.Name, l.Address)
	}
	return fmt.Sprintf("The listener %q has trusted_proxies, through which others reach it", l.Name)
}

// TLS are the files of a certificate; relative paths are made relative to the folder of bridge.hcl.
type TLS struct {
	CertFile, KeyFile string
}

// Admin is where health, metrics and the API are served.
type Admin struct {
	Address string // host:port
	Auth    *Auth  // of kind "basic"; nil only on loopback
	Range   hcl.Range
}

// Channel says who else may join or publish to the channels of a pattern. A nil Peers means that the
// attribute is absent and the default holds.
type Channel struct {
	Pattern       channel.Pattern
	Join, Publish *Peers
	Range         hcl.Range
}

// Peers are those whom a [Channel] lets in; without any nobody is.
type Peers struct {
	Plugins []*Plugin
	Auths   []*Auth
}

// Cluster says how this node finds the others.
type Cluster struct {
	Name      string
	Secrets   []redact.Secret // the current one and older ones; none: loopback only
	Listen    string          // host:port of the embedded NATS; empty where Servers are set
	Advertise string          // host:port at which others reach it; empty: Listen
	Routes    []string        // URLs of the embedded NATS of all nodes
	Replicas  int             // of queues; 0: by the number of nodes
	Node      int             // -1: leased
	Servers   []string        // URLs of an external NATS
	TLS       *TLS            // nil: none
	Range     hcl.Range
}

// Shutdown says how Bridge ends.
type Shutdown struct {
	Delay   time.Duration // /ready says 503 and nothing closes yet
	Timeout time.Duration // sessions are closed staggered within it
}
