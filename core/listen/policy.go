package listen

import (
	"errors"
	"net/netip"
)

// policy is whom a listener lets in and believes. It is replaced, never changed.
type policy struct {
	listed  []string // as the configuration has them
	origins []allowed
	trusted []netip.Prefix
}

func newPolicy(origins []string, trusted []netip.Prefix) (*policy, error) {
	p := &policy{listed: origins, trusted: trusted}
	var faults []error
	for _, text := range origins {
		o, err := parseAllowed(text)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		p.origins = append(p.origins, o)
	}
	return p, errors.Join(faults...)
}

// CheckOrigins says what is wrong with a list of [Config.Origins]; nil: nothing.
func CheckOrigins(list []string) error {
	_, err := newPolicy(list, nil)
	return err
}

// SetPolicy replaces [Config.Origins] and [Config.TrustedProxies] from the next request on. On an
// error the old ones stay.
func (s *Server) SetPolicy(origins []string, trusted []netip.Prefix) error {
	p, err := newPolicy(origins, trusted)
	if err == nil {
		s.policy.Store(p)
	}
	return err
}

// SetCompression replaces [Config.Compression] for connections to come.
func (s *Server) SetCompression(on bool) { s.compression.Store(on) }

// SetLimits replaces [Config.MaxConnections] and [Config.MaxPerAddress] for connections to come.
func (s *Server) SetLimits(connections, perAddress int) {
	c := Config{MaxConnections: connections, MaxPerAddress: perAddress}.withDefaults()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doors.most, s.doors.mostOf = c.MaxConnections, c.MaxPerAddress
}
