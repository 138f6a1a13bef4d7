package session

import "unicode/utf8"

// CloseCode is an entry of the catalogue of reasons for which the core itself closes a session.
type CloseCode struct {
	Code   int
	Reason string
	// Reconnect says whether a client does well to come back by itself.
	Reconnect bool
	// When says what happened, for the documentation.
	When string
}

// The core's close codes. A plugin closes with those of its protocol.
var (
	CloseNormal       = CloseCode{1000, "", false, "the plugin closed without a code"}
	CloseGoingAway    = CloseCode{1001, "going away", true, "the node shuts down"}
	CloseProtocol     = CloseCode{1002, "protocol error", false, "a frame that breaks RFC 6455, or RFC 7692"}
	CloseInvalidText  = CloseCode{1007, "invalid UTF-8", false, "a text frame that is not UTF-8"}
	CloseTooLarge     = CloseCode{1009, "frame too large", false, "a frame above the route's limit"}
	CloseInternal     = CloseCode{1011, "internal error", true, "the plugin failed at one of the session's own events"}
	CloseRestart      = CloseCode{1012, "restart", true, "the route changed"}
	CloseSlowConsumer = CloseCode{1013, "slow consumer", true, "the client does not read what it is sent"}
	CloseUnavailable  = CloseCode{1013, "try again later", true, "the plugin cannot be reached"}
	CloseIdle         = CloseCode{1001, "idle", true, "the client did not answer pings"}
	CloseWriteTimeout = CloseCode{1013, "write timeout", true, "the client took nothing for the write timeout"}
	CloseExpired      = CloseCode{1008, "credentials expired", true, "the proof of who the client is ran out"}
	CloseLost         = CloseCode{1006, "", true, "the connection was lost; never on the wire"}
)

// CloseCodes lists the catalogue in the order of the documentation.
func CloseCodes() []CloseCode {
	return []CloseCode{
		CloseNormal, CloseGoingAway, CloseIdle, CloseProtocol, CloseInvalidText, CloseExpired,
		CloseTooLarge, CloseInternal, CloseRestart, CloseSlowConsumer, CloseUnavailable, CloseWriteTimeout,
	}
}

// NoStatus is the code of a close frame that has none (RFC 6455, 7.4.1).
const NoStatus = 1005

// MaxReason is how many bytes of a reason fit into a close frame.
const MaxReason = 123

// CutReason cuts a reason to what fits, at a character, and makes it valid UTF-8.
func CutReason(reason string) string {
	if !utf8.ValidString(reason) {
		reason = string([]rune(reason))
	}
	if len(reason) <= MaxReason {
		return reason
	}
	cut := MaxReason
	for cut > 0 && !utf8.RuneStart(reason[cut]) {
		cut--
	}
	return reason[:cut]
}

// ValidCode says whether an endpoint may send the code in a close frame (RFC 6455, 7.4).
func ValidCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != 1005 && code != 1006
	}
	return false
}
