//go:build linux

package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/bench/load"
)

// runHold opens the connections of the spec on the first line of stdin, says so, and holds them until
// stdin ends. For each further line it wakes them all and prints how long that took.
func runHold([]string) error {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	var s load.Spec
	if err := json.Unmarshal([]byte(<-lines), &s); err != nil {
		return err
	}
	h, err := load.Open(s)
	if err != nil {
		return err
	}
	defer h.Close()
	fmt.Println("held")
	for {
		select {
		case _, ok := <-lines:
			if !ok {
				return nil
			}
			took, err := h.Wake()
			if err != nil {
				return err
			}
			fmt.Println(int64(took))
		default:
			if err := h.Serve(); err != nil {
				return err
			}
		}
	}
}

// held is connections that processes of their own hold.
type held []*server

// hold opens so many connections. A process holds as many as it may have files, and has an address of
// its own, since there are not many more ports.
func (s *server) hold(spec load.Spec, n int) (h held, err error) {
	files, err := openFiles()
	if err != nil {
		return nil, err
	}
	for n > 0 {
		spec.Address, spec.Connections = s.address, min(n, files-connections)
		if !spec.TLS {
			spec.Source = fmt.Sprintf("127.0.0.%d", 2+len(h))
		}
		n -= spec.Connections
		data, err := json.Marshal(&spec)
		if err != nil {
			return nil, errors.Join(err, h.stop())
		}
		holder, err := startWith(newChild(self, "hold"), string(data))
		if err != nil {
			return nil, errors.Join(err, h.stop())
		}
		h = append(h, holder)
	}
	return h, nil
}

// wake wakes all, one process after the other, and returns the longest time that it took.
func (h held) wake() (longest time.Duration, err error) {
	for _, s := range h {
		var took time.Duration
		if err := s.ask("wake", &took); err != nil {
			return 0, fmt.Errorf("wake idle connections: %w", err)
		}
		longest = max(longest, took)
	}
	return longest, nil
}

func (h held) stop() error {
	errs := make([]error, len(h))
	for i, s := range h {
		errs[i] = s.stop()
	}
	return errors.Join(errs...)
}

// openFiles raises how many files this process and its children may have open as far as it may, and
// returns that.
func openFiles() (int, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	l.Cur = l.Max
	return int(min(l.Max, 1<<20)), unix.Setrlimit(unix.RLIMIT_NOFILE, &l)
}

const tokenSecret = "only for measuring, but long enough"

// claimsSize is about how long the claims of a token are.
const claimsSize = 200

// token is one for claimsHCL.
func token() string {
	claims := fmt.Sprintf(`{"sub":"38","exp":%d,"name":"`, time.Now().Add(time.Hour).Unix())
	claims += strings.Repeat("x", claimsSize-len(claims)-len(`"}`)) + `"}`
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(tokenSecret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// writeCertificate writes cert.pem and key.pem into a folder.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
