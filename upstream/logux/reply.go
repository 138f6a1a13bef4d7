package logux

import "github.com/protocol-bridge/bridge/upstream/rawjson"

// AppendAnswer appends an answer in the form of a version: an array in 1 to 3, an object in 4. auth says
// that it is to an auth command, else it is to an action. What a version has no word for is said with
// the nearest that it has: to an action Denied is forbidden, and before version 4 WrongSubprotocol is
// denied. Errors of versions 1 and 2 have no id. Before version 4 there are no Action answers: they must
// not be appended, nor None and Unknown.
func AppendAnswer(dst []byte, version int, a *Answer, auth bool) []byte {
	kind := a.Kind
	switch {
	case kind == Denied && !auth:
		kind = Forbidden
	case kind == WrongSubprotocol && version < 4:
		kind = Denied
	}
	if version < 4 {
		return appendArray(dst, version, kind, a)
	}
	dst = append(append(dst, `{"answer":"`...), kind.String()...)
	dst = append(dst, '"')
	if a.ID != nil {
		if auth {
			dst = append(dst, `,"authId":`...)
		} else {
			dst = append(dst, `,"id":`...)
		}
		dst = rawjson.AppendString(dst, string(a.ID))
	}
	switch kind {
	case Authenticated:
		dst = rawjson.AppendString(append(dst, `,"subprotocol":`...), a.Subprotocol)
	case WrongSubprotocol:
		dst = rawjson.AppendString(append(dst, `,"supported":`...), a.Supported)
	case Error:
		dst = rawjson.AppendString(append(dst, `,"details":`...), string(a.Details))
	case Resend:
		if !a.To.Empty() {
			dst = a.To.appendMembers(append(dst, ','))
		}
	case Action:
		dst = append(append(dst, `,"action":`...), a.Action...)
		dst = append(append(dst, `,"meta":`...), a.Meta...)
	}
	return append(dst, '}')
}

func appendArray(dst []byte, version int, kind Kind, a *Answer) []byte {
	dst = append(append(append(dst, `["`...), kind.String()...), '"')
	if a.ID != nil && (kind != Error || version == 3) {
		dst = rawjson.AppendString(append(dst, ','), string(a.ID))
	}
	switch kind {
	case Error:
		dst = rawjson.AppendString(append(dst, ','), string(a.Details))
	case Resend:
		dst = append(a.To.appendMembers(append(dst, ",{"...)), '}')
	}
	return append(dst, ']')
}

// AppendMeta appends a meta that names them.
func (a *Addressees) AppendMeta(dst []byte) []byte {
	return append(a.appendMembers(append(dst, '{')), '}')
}

// appendMembers appends the lists that are not empty as members of an object.
func (a *Addressees) appendMembers(dst []byte) []byte {
	from := len(dst)
	for _, list := range []struct {
		name  string
		names []string
	}{{"channels", a.Channels}, {"users", a.Users}, {"clients", a.Clients}, {"nodes", a.Nodes}} {
		if len(list.names) == 0 {
			continue
		}
		if len(dst) > from {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, list.name), ':', '[')
		for i, name := range list.names {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = rawjson.AppendString(dst, name)
		}
		dst = append(dst, ']')
	}
	return dst
}
