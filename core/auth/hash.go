package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of what one comparison may cost: beyond them a wrong password would be a weapon.
const (
	maxBcryptCost   = 16      // some seconds
	maxArgon2Memory = 1 << 18 // KiB, that is 256 MiB
	maxArgon2Time   = 64
)

// passwordHash is what is kept of a password. It is immutable and safe for concurrent use.
type passwordHash interface {
	// matches takes as long for a wrong password as for the right one.
	matches(password string) bool
}

var (
	bcryptForm = regexp.MustCompile(`^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$`)
	// The number behind v= is the version 1.3 of Argon2, the only one in use.
	argon2Form = regexp.MustCompile(`^\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$`)
)

// parseHash reads a hash in the form of bcrypt or, for argon2id, a PHC string. Its errors do not hold
// the hash.
func parseHash(text string) (passwordHash, error) {
	switch {
	case strings.HasPrefix(text, "$2"):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon2id(text)
	}
	return nil, errors.New("password hash is neither bcrypt ($2y$…) nor argon2id ($argon2id$…)")
}

type bcryptHash []byte

func parseBcrypt(text string) (passwordHash, error) {
	if !bcryptForm.MatchString(text) {
		return nil, errors.New("bcrypt hash is malformed")
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil {
		return nil, errors.New("bcrypt hash is malformed")
	}
	if cost > maxBcryptCost {
		return nil, fmt.Errorf("bcrypt cost %d is more than %d", cost, maxBcryptCost)
	}
	return bcryptHash(text), nil
}

// matches looks at the first 72 bytes, as bcrypt does everywhere.
func (h bcryptHash) matches(password string) bool {
	return bcrypt.CompareHashAndPassword(h, []byte(password)) == nil
}

type argon2idHash struct {
	time, memory uint32 // passes; KiB
	threads      uint8
	salt, sum    []byte
}

func parseArgon2id(text string) (passwordHash, error) {
	malformed := errors.New("argon2id hash is malformed: it is $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	parts := argon2Form.FindStringSubmatch(text)
	if parts == nil {
		return nil, malformed
	}
	var numbers [3]uint64
	for i := range numbers {
		n, err := strconv.ParseUint(parts[i+1], 10, 32)
		if err != nil {
			return nil, malformed
		}
		numbers[i] = n
	}
	memory, passes, threads := numbers[0], numbers[1], numbers[2]
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	sum, sumErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	switch {
	case saltErr != nil || sumErr != nil:
		return nil, malformed
	case len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64:
		return nil, errors.New("argon2id hash needs a salt of 8 to 64 bytes and a hash of 16 to 64")
	case threads < 1 || threads > 255 || passes < 1 || memory < 8*threads:
		return nil, errors.New("argon2id needs t of at least 1, p of 1 to 255 and m of at least 8 times p")
	case memory > maxArgon2Memory || passes > maxArgon2Time:
		return nil, fmt.Errorf("argon2id m=%d,t=%d is more than m=%d,t=%d", memory, passes, maxArgon2Memory, maxArgon2Time)
	}
	return &argon2idHash{uint32(passes), uint32(memory), uint8(threads), salt, sum}, nil
}

func (h *argon2idHash) matches(password string) bool {
	sum := argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}
