package core

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"

	"github.com/protocol-bridge/bridge/core/config"
)

// CertificateError is of a tls block whose files are no certificate with its key.
type CertificateError struct {
	Listener, CertFile, KeyFile string // Listener is empty for the cluster's
	Err                         error
}

func (e *CertificateError) Error() string {
	if e.Listener == "" {
		return fmt.Sprintf("cluster: certificate cannot be used: %s with the key %s: %v", e.CertFile, e.KeyFile, e.Err)
	}
	return fmt.Sprintf("listener %q: certificate cannot be used: %s with the key %s: %v", e.Listener, e.CertFile, e.KeyFile, e.Err)
}

// Unwrap returns what is wrong with the files.
func (e *CertificateError) Unwrap() error { return e.Err }

// certificate reads what a listener shows its clients; nil where it has no tls block.
func certificate(lc *config.Listener) (*tls.Certificate, error) {
	if lc.TLS == nil {
		return nil, nil
	}
	c, err := tls.LoadX509KeyPair(lc.TLS.CertFile, lc.TLS.KeyFile)
	if err != nil {
		return nil, &CertificateError{lc.Name, lc.TLS.CertFile, lc.TLS.KeyFile, err}
	}
	return &c, nil
}

// checkCertificates joins what is wrong with those of all listeners.
func checkCertificates(cfg *config.Config) error {
	var faults []error
	for _, lc := range cfg.Listeners {
		_, err := certificate(lc)
		faults = append(faults, err)
	}
	if cfg.Cluster != nil {
		_, err := clusterTLS(cfg.Cluster)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// sameCertificate says whether two listeners show the same; nil is none.
func sameCertificate(a, b *tls.Certificate) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}
