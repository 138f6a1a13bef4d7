package ctproto

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// readUpdate reads the body of a request for updates. The error is a sentence for whoever wrote it.
func readUpdate(body []byte) (sdk.Select, error) {
	m, err := bodyOf(body, "select", "channel", "type", "payload")
	if err != nil {
		return sdk.Select{}, err
	}
	sel, err := m.selection()
	if err != nil {
		return sdk.Select{}, err
	}
	typ, ok, err := m.text("type")
	switch {
	case err != nil:
		return sdk.Select{}, err
	case !ok || typ == "":
		return sdk.Select{}, bad("type", "is missing")
	case reserved(typ):
		return sdk.Select{}, bad("type", "is reserved by the protocol: %s", typ)
	}
	payload := m.values["payload"]
	switch {
	case payload == nil:
		return sdk.Select{}, bad("payload", "is missing")
	case rawjson.KindOf(payload) != rawjson.Object:
		return sdk.Select{}, bad("payload", "is not an object")
	}
	sel.Action.Frames = []sdk.OutFrame{update(typ, payload)}
	return sel, nil
}

// Close codes that an application may send (RFC 6455, section 7.4).
const (
	codeNormal      = 1000
	codeApplication = 3000
	codeLast        = 4999
)

// maxReason is how much of a reason fits into a close frame.
const maxReason = 123

// readClose reads the body of a request to close.
func readClose(body []byte) (sdk.Select, error) {
	m, err := bodyOf(body, "select", "channel", "code", "reason")
	if err != nil {
		return sdk.Select{}, err
	}
	sel, err := m.selection()
	if err != nil {
		return sdk.Select{}, err
	}
	code := codeNormal
	if raw := m.values["code"]; raw != nil {
		code, err = strconv.Atoi(string(raw))
		if err != nil || code != codeNormal && (code < codeApplication || code > codeLast) {
			return sdk.Select{}, bad("code", "is neither %d nor one of %d to %d", codeNormal, codeApplication, codeLast)
		}
	}
	reason, _, err := m.text("reason")
	if err != nil {
		return sdk.Select{}, err
	}
	if len(reason) > maxReason {
		return sdk.Select{}, bad("reason", "has more than %d bytes", maxReason)
	}
	sel.Action.Close = &sdk.CloseCode{Code: code, Reason: reason}
	return sel, nil
}

// requestError says what is wrong with a body.
type requestError struct{ member, text string }

func (e *requestError) Error() string { return fmt.Sprintf("%q %s.", e.member, e.text) }

func bad(member, format string, args ...any) error {
	return &requestError{member, fmt.Sprintf(format, args...)}
}

// object is a JSON object: its members as they are written, of duplicates the last. name is what an
// error calls it.
type object struct {
	name   string
	values map[string][]byte
}

// bodyOf takes a body apart. One with a member of another name is refused: a select that is misspelt
// must not reach everybody.
func bodyOf(body []byte, names ...string) (object, error) {
	switch {
	case !utf8.Valid(body):
		return object{}, bad("body", "is not UTF-8")
	case !rawjson.Valid(body):
		return object{}, bad("body", "is not JSON")
	}
	return objectOf("", body, names...)
}

func objectOf(name string, raw []byte, names ...string) (object, error) {
	o := object{name, make(map[string][]byte)}
	if rawjson.KindOf(raw) != rawjson.Object {
		if name == "" {
			name = "body"
		}
		return o, bad(name, "is not an object")
	}
	for key, value := range rawjson.Members(raw) {
		text, _ := rawjson.Text(key)
		if !slices.Contains(names, string(text)) {
			const most = 64
			return o, bad(o.member(strings.ToValidUTF8(string(text[:min(len(text), most)]), "")), "is unknown; want %s", strings.Join(names, ", "))
		}
		o.values[string(text)] = value
	}
	return o, nil
}

func (o object) member(name string) string {
	if o.name == "" {
		return name
	}
	return o.name + "." + name
}

// text is a member that is a string; ok is false when there is none.
func (o object) text(name string) (text string, ok bool, err error) {
	raw := o.values[name]
	if raw == nil {
		return "", false, nil
	}
	b, ok := rawjson.Text(raw)
	if !ok {
		return "", false, bad(o.member(name), "is not a string")
	}
	return string(b), true, nil
}

// list are the elements of a member that is a list with at least one; nil when there is no such member.
func (o object) list(name string) ([][]byte, error) {
	raw := o.values[name]
	if raw == nil {
		return nil, nil
	}
	if rawjson.KindOf(raw) != rawjson.Array {
		return nil, bad(o.member(name), "is not a list")
	}
	list := slices.Collect(rawjson.Elements(raw))
	if len(list) == 0 {
		return nil, bad(o.member(name), "is empty")
	}
	return list, nil
}
