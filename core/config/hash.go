package config

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// makeHash ends texts about a hash of a password.
const makeHash = " Make one with `htpasswd -nBC 12 NAME`: it is what comes behind the colon."

const (
	leastCost = 10
	mostCost  = 16 // takes seconds, each time somebody logs in

	leastMemory = 7 << 10 // KiB: less can be guessed in parallel too cheaply
	mostMemory  = 1 << 18 // KiB: each log-in takes it
	mostTime    = 64
	leastSalt   = 8
	mostSalt    = 64
	leastKey    = 16
	mostKey     = 64
)

var (
	bcryptPattern   = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)
	argon2idPattern = regexp.MustCompile(`^\$argon2id\$v=19\$m=([0-9]{1,8}),t=([0-9]{1,8}),p=([0-9]{1,8})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$`)
)

// badHash says what is wrong with the hash of a password; an empty summary means nothing. The texts
// hold nothing of it.
func badHash(s string) (summary, detail string) {
	switch {
	case bcryptPattern.MatchString(s):
		cost, _ := strconv.Atoi(bcryptPattern.FindStringSubmatch(s)[1])
		switch {
		case cost < leastCost:
			return "Weak hash", fmt.Sprintf("The cost of this bcrypt hash is %d, which is quickly guessed through: it needs %d or more.", cost, leastCost)
		case cost > mostCost:
			return "Slow hash", fmt.Sprintf("The cost of this bcrypt hash is %d: each log-in would take far too long to compute. At most it may be %d.", cost, mostCost)
		}
		return "", ""
	case argon2idPattern.MatchString(s):
		if detail := badArgon2id(argon2idPattern.FindStringSubmatch(s)[1:]); detail != "" {
			return "Weak or slow hash", detail
		}
		return "", ""
	case s == "":
		return "Empty password", "A user without a password is no user."
	case strings.HasPrefix(s, "$2") || strings.HasPrefix(s, "$argon2id$"):
		return "Broken hash", "This begins as a hash and then is none: it is cut off, or something was put in."
	case strings.HasPrefix(s, "$") || strings.HasPrefix(s, "{"):
		return "Unknown hash", "Bridge reads bcrypt hashes ($2a$, $2b$, $2y$) and argon2id PHC strings; this is something else."
	}
	return "Password in plain text", "This is not a hash. Whoever reads the file must not learn passwords, so a bcrypt or argon2id hash belongs here."
}

func badArgon2id(parts []string) string {
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(parts[i])
	}
	memory, time, lanes := n[0], n[1], n[2]
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[3])
	key, keyErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	switch {
	case memory < leastMemory || memory > mostMemory:
		return fmt.Sprintf("The memory of this argon2id hash is m=%d: it needs %d to %d, in KiB.", memory, leastMemory, mostMemory)
	case time < 1 || time > mostTime:
		return fmt.Sprintf("The passes of this argon2id hash are t=%d: it needs 1 to %d.", time, mostTime)
	case lanes < 1 || lanes > 255 || memory < 8*lanes:
		return fmt.Sprintf("The lanes of this argon2id hash are p=%d: it needs 1 to 255, with 8 KiB for each.", lanes)
	case saltErr != nil || len(salt) < leastSalt || len(salt) > mostSalt:
		return fmt.Sprintf("The salt of this argon2id hash is broken, or not of %d to %d bytes.", leastSalt, mostSalt)
	case keyErr != nil || len(key) < leastKey || len(key) > mostKey:
		return fmt.Sprintf("The hash itself, at the end of this argon2id hash, is broken, or not of %d to %d bytes.", leastKey, mostKey)
	}
	return ""
}
