package logux

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Errors of [DecodeEnvelope], in the order in which they are looked for.
var (
	ErrNotJSON = errors.New("the body is not JSON in UTF-8")
	ErrShape   = errors.New("the body is not an envelope: an object with the number version, the string secret and the list commands")
	ErrVersion = errors.New("the version of the back-end protocol is not supported")
)

// Envelope is the body of a request, as back-ends and control endpoints get it.
type Envelope struct {
	Version int
	// Secret is what the sender has under the name secret, or else password. Nobody has compared it.
	Secret string
	// Commands are JSON arrays or objects and point into the body; see [DecodeCommand].
	Commands [][]byte
}

// DecodeEnvelope reads the body of a request of any version. Whether commands are arrays or objects, and
// what the secret is called, is seen from the body: libraries say one version and write another. Unknown
// members are ignored, and of members with one name the last counts. The error is ErrNotJSON, ErrShape
// or ErrVersion.
func DecodeEnvelope(body []byte) (Envelope, error) {
	if !utf8.Valid(body) || !rawjson.Valid(body) {
		return Envelope{}, ErrNotJSON
	}
	var version, secret, password, commands []byte
	for key, value := range rawjson.Members(body) {
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "version":
			version = value
		case "secret":
			secret = value
		case "password":
			password = value
		case "commands":
			commands = value
		}
	}
	if secret == nil {
		secret = password
	}
	text, ok := rawjson.Text(secret)
	if !ok || rawjson.KindOf(version) != rawjson.Number || rawjson.KindOf(commands) != rawjson.Array {
		return Envelope{}, ErrShape
	}
	e := Envelope{Secret: string(text)}
	for command := range rawjson.Elements(commands) {
		switch rawjson.KindOf(command) {
		case rawjson.Array, rawjson.Object:
			e.Commands = append(e.Commands, command)
		default:
			return Envelope{}, ErrShape
		}
	}
	number, err := strconv.ParseFloat(string(version), 64)
	if e.Version = int(number); err != nil || number < MinVersion || number > MaxVersion || number != float64(e.Version) {
		return Envelope{}, ErrVersion
	}
	return e, nil
}
