package chat

import "github.com/protocol-bridge/bridge/sdk"

// code is an error_code.
type code int

// Codes of the protocol, and from 100 on those of this implementation, which only WebSocket has.
const (
	erAuthData   code = 0
	erUserExst   code = 1
	erCliExst    code = 2
	erBadRequest code = 100
	erForbidden  code = 101
	erNotFound   code = 102
	erNotAuth    code = 103
	erFile       code = 104
	erInternal   code = 105
)

var codeNames = map[code]string{
	erAuthData: "ER_AUTH_DATA", erUserExst: "ER_USER_EXST", erCliExst: "ER_CLI_EXST",
	erBadRequest: "ER_BAD_REQUEST", erForbidden: "ER_FORBIDDEN", erNotFound: "ER_NOT_FOUND",
	erNotAuth: "ER_NOT_AUTH", erFile: "ER_FILE", erInternal: "ER_INTERNAL",
}

// refusal is an error for a client: what RQ_ERROR_MSG says.
type refusal struct {
	code code
	text string
}

func (r *refusal) Error() string { return r.text }

// Refusals. The texts of the first three are the original's.
var (
	errAuthData  = &refusal{erAuthData, "The email or password inccorect"}
	errUserExst  = &refusal{erUserExst, "User already exist"}
	errCliExst   = &refusal{erCliExst, "User already authorized"}
	errForbidden = &refusal{erForbidden, "Not allowed"}
	errNotFound  = &refusal{erNotFound, "Not found"}
	errNotAuth   = &refusal{erNotAuth, "Log in first"}
	errInternal  = &refusal{erInternal, "Internal error, try again"}
	errKeep      = &refusal{erFile, "The file cannot be kept"}
	errNoRequest = &refusal{erBadRequest, "Not a request"}
)

func bad(text string) *refusal { return &refusal{erBadRequest, text} }

// maxRefused is how many requests in a row may be refused for want of permission.
const maxRefused = 10

// Close codes of the protocol.
var (
	closeRefused  = sdk.CloseCode{Code: 1008, Reason: "too many refused requests"}
	closeFlood    = sdk.CloseCode{Code: 1008, Reason: "too many requests at once"}
	closeNoUpload = sdk.CloseCode{Code: 1003, Reason: "no upload is open"}
)
