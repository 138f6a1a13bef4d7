//go:build linux

package soak

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// edit is a change of bridge.hcl.
type edit struct {
	env     int  // of the plugin ctproto, whose process is another then
	extra   bool // a route more, whose sessions are closed when it goes
	third   bool // a listener more
	frame   string
	pool    int  // connections to the back-end
	fault   bool // the file cannot be read
	renewed bool // certificates are new
}

// edits come one after another, again and again.
func edits(n int) edit {
	e := edit{frame: "64KiB", pool: 256}
	switch n % 8 {
	case 0:
		e.env = n + 1
	case 1:
		e.extra = true
	case 2:
		e.extra, e.frame = true, "128KiB"
	case 3:
		e.fault = true
	case 4:
		e.pool = 128
	case 5:
		e.third = true
	case 6:
		e.renewed = true
	}
	return e
}

// config is bridge.hcl of that edit.
func (s *soak) config(e edit) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
data_dir = "data"
listener "public" {
  address = "127.0.0.1:0"
  default = true
}
listener "secure" {
  address = "127.0.0.1:0"
  tls {
    cert_file = "cert.pem"
    key_file  = "key.pem"
  }
}
admin {
  address = "127.0.0.1:0"
}
shutdown {
  timeout = "10s"
}
auth "static" "dev" {
  tokens = { good-token = "38" }
}
upstream "logux" "app" {
  url             = %q
  secret          = %q
  max_connections = %d
  connect_timeout = "30s"
  timeout         = "30s"
}
plugin "lines" {
  command = [%s]
  route "/lines" {
    auth = auth.none
    also = ["/lines/"]
  }
  route "/few" {
    auth = auth.none
    limits {
      max_sessions = 20
    }
  }
}
plugin "calm" {
  type = "ctproto"
  env  = { GOGC = 100 } # collects sooner, so that what rises is seen
`, "http://"+s.backend+"/", shared, e.pool, strings.Join(quoted(s.cfg.Lines), ", "))
	route := func(path, more string) {
		fmt.Fprintf(&b, "  route %q {\n    auth     = auth.static.dev\n    upstream = upstream.logux.app\n    channels = [\"news\"]\n%s  }\n", path, more)
	}
	route("/calm", "")
	route("/calm", "    listener = listener.secure\n")
	fmt.Fprintf(&b, "}\nplugin \"ctproto\" {\n  env = { ROUND = %d }\n", e.env)
	route("/client", fmt.Sprintf("    limits {\n      max_frame = %q\n    }\n", e.frame))
	if e.extra {
		route("/extra", "")
	}
	if e.third {
		route("/client", "    listener = listener.third\n")
	}
	b.WriteString("}\n")
	if e.third {
		b.WriteString("listener \"third\" {\n  address = \"127.0.0.1:0\"\n}\n")
	}
	if e.fault {
		b.WriteString("plugin {\n")
	}
	return b.String()
}

func quoted(words []string) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = strconv.Quote(w)
	}
	return list
}

// write puts the files of an edit where they are read.
func (s *soak) write(e edit) error {
	if e.renewed || !s.certified {
		if err := writeCertificate(s.dir); err != nil {
			return err
		}
		s.certified = true
	}
	return os.WriteFile(filepath.Join(s.dir, "bridge.hcl"), []byte(s.config(e)), 0o600)
}

// writeCertificate makes a key and what clients are shown for it.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	shown := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "soak"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, shown, shown, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
