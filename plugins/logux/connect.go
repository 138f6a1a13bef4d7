package logux

import (
	"strconv"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// How connections end. Clients look at the errors that they are told before, and at nothing else.
var (
	closeTimeout     = sdk.CloseCode{Code: 1001, Reason: "timeout"}
	closeUnavailable = sdk.CloseCode{Code: 1013, Reason: "try again later"}
	closeTooMuch     = sdk.CloseCode{Code: 1013, Reason: "too much is waiting"}
	closeReplaced    = sdk.CloseCode{Code: 1001, Reason: "the client connected again"}
)

// What may be kept of a session that is not authenticated yet.
const (
	maxHeld      = 1000
	maxHeldBytes = 1 << 20
)

const (
	connectTimer = "connect"
	authTag      = "auth"
	headersCell  = "h"
	stateCell    = "$" // of the SDK
)

func heldCell(i int) string { return "m" + strconv.Itoa(i) }

// stepServer is for the session of a client that is not authenticated yet.
func (p *Plugin) stepServer(s *session, ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Opened:
		s.Timer(connectTimer, config(s).Timeout)
	case sdk.Frame:
		p.early(s, e.Data)
	case sdk.Timer:
		s.Close(closeTimeout)
	case sdk.Answer:
		if e.Tag == authTag && e.Last {
			p.authenticated(s, &e)
		}
	}
	return nil
}

// fail tells a client of an error and ends its connection.
func fail(c *sdk.Conn, e *protocolError) {
	c.Send(e.append(nil))
	c.Close(sdk.CloseCode{Code: sdk.ClosePolicy.Code, Reason: e.typ})
}

// early handles a message before the client is authenticated.
func (p *Plugin) early(s *session, frame []byte) {
	m, fault := decode(frame)
	if fault != nil {
		fail(&s.Conn, fault)
		return
	}
	switch m.kind {
	case kindConnect:
		if s.State.Phase == phaseNew {
			p.connect(s, &m.connect)
			return
		}
		fail(&s.Conn, wrongMessage(frame))
	case kindConnected:
		fail(&s.Conn, wrongMessage(frame))
	case kindHeaders:
		s.Put(headersCell, m.object)
	case kindPing, kindPong, kindSync, kindSynced:
		p.hold(s, frame)
	default:
		noteMessage(s, &m)
	}
}

// noteMessage is for what needs no answer.
func noteMessage(s *session, m *message) {
	switch m.kind {
	case kindError, kindDebug:
		s.Log().Info("client reports an error", "text", string(m.text[:min(len(m.text), maxQuoted)]))
	default:
	}
}

// hold keeps a message until the client is authenticated.
func (p *Plugin) hold(s *session, frame []byte) {
	if s.State.Held == maxHeld || s.State.HeldBytes+len(frame) > maxHeldBytes {
		s.Close(closeTooMuch)
		return
	}
	s.Put(heldCell(s.State.Held), frame)
	s.State.Held++
	s.State.HeldBytes += len(frame)
}

// connect looks at what a client says of itself and asks the auth backend for what it cannot know.
func (p *Plugin) connect(s *session, c *connectMessage) {
	node := parseNode(c.node)
	version := versionOf(c.version)
	s.State.Conn = Conn{
		Version: min(version, maxVersion), Start: nowMillis(s), Node: c.node, Given: numberOf(c.synced), Subprotocol: "0.0.0",
	}
	if c.subprotocol != nil {
		s.State.Conn.Subprotocol, _ = semverOf(c.subprotocol)
	}
	var fault *protocolError
	switch {
	case version < minVersion:
		fault = &protocolError{"wrong-protocol", supportedUsed([]byte(strconv.Itoa(minVersion)), c.version)}
	case !config(s).supported(s.State.Conn.Subprotocol):
		fault = s.State.Conn.wrongSubprotocol(config(s).Supports)
	case node.isServer():
		fault = &protocolError{typ: "wrong-credentials"}
	}
	if fault != nil {
		s.State.Phase = phaseOver
		fail(&s.Conn, fault)
		return
	}
	s.State.Phase = phaseAsking
	ask := sdk.Authenticate{
		Token: string(c.token), HasToken: c.token != nil, UserID: node.user, HasUserID: node.hasUser,
		Subprotocol: s.State.Conn.Subprotocol,
	}
	ask.Headers, ask.HeadersJSON = headersOf(s.Get(headersCell))
	s.Call(sdk.Call{Tag: authTag, Target: ask})
}

// versionOf is the version of the protocol that a number says, which may have a fraction.
func versionOf(number []byte) int {
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil || f > maxVersion {
		return maxVersion + 1
	}
	return int(max(f, 0))
}

// numberOf is a number up to which a client has what it was sent, or 0 for what cannot be one.
func numberOf(number []byte) int64 {
	n, ok := parseInt(number)
	if !ok || n < 0 {
		return 0
	}
	return n
}

func supportedUsed(supported, used []byte) []byte {
	b := append([]byte(`{"supported":`), supported...)
	return append(append(append(b, `,"used":`...), used...), '}')
}

// wrongSubprotocol is the error for a client whose subprotocol is not in the range.
func (c *Conn) wrongSubprotocol(supported string) *protocolError {
	want, used := rawjson.AppendString(nil, supported), rawjson.AppendString(nil, c.Subprotocol)
	if c.Version >= numberVersion {
		if number := supportedBy(supported); number != nil {
			want = number
		}
		if number, ok := majorOf(c.Subprotocol); ok {
			used = number
		}
	}
	return &protocolError{"wrong-subprotocol", supportedUsed(want, used)}
}

// headersOf are the members of an object. A value that is no string stands as it is written, and then the
// object is returned too; nil: the list says it all.
func headersOf(object []byte) (list []sdk.Header, whole []byte) {
	for key, value := range rawjson.Members(object) {
		name, _ := rawjson.Text(key)
		if text, ok := rawjson.Text(value); ok {
			value = text
		} else {
			whole = object
		}
		list = append(list, sdk.Header{Name: string(name), Value: string(value)})
	}
	return list, whole
}

// authenticated is the auth backend's answer.
func (p *Plugin) authenticated(s *session, a *sdk.Answer) {
	c := &s.State.Conn
	s.State.Phase = phaseOver
	switch a.Outcome {
	case sdk.OutcomeOK:
	case sdk.OutcomeOther:
		fail(&s.Conn, c.wrongSubprotocol(a.Supported))
		return
	case sdk.OutcomeDenied, sdk.OutcomeError:
		// A client that is told so gives up, and one whose back-end fails at it cannot be told apart.
		fail(&s.Conn, &protocolError{typ: "wrong-credentials"})
		return
	default:
		// Nobody could be asked: the client comes back if it is told nothing.
		s.Close(closeUnavailable)
		return
	}
	c.Base = nowMillis(s)
	if a.Identity != nil {
		c.Realm = a.Identity.Realm
	}
	p.spoken.note(s.Route().ID, a.Subprotocol)
	if c.Server = a.Subprotocol; c.Server == "" {
		c.Server = config(s).Subprotocol
	}
	if config(s).development() && c.Version >= headersVersion {
		s.Text(`["headers",{"env":"development"}]`)
	}
	s.SendAppend(func(dst []byte) []byte { return c.appendConnected(dst, p.node) })
	variant := ""
	if c.Version >= numberVersion {
		variant = numbered
	}
	s.Tune(variant, map[string]int64{baseVariable: c.Base, exactVariable: c.Base * perMilli})
	node := parseNode(c.Node)
	s.Join(nodeChannel(c.Node))
	s.Join(clientChannel(node.client))
	if node.user != "" {
		s.Join(userChannel(node.user))
	}
	for _, channel := range a.Channels {
		s.Join(channel)
	}
	s.Bind(clientKey(node.client))
}

func (c *Conn) appendConnected(dst []byte, server string) []byte {
	dst = strconv.AppendInt(append(dst, `["connected",`...), int64(c.Version), 10)
	dst = rawjson.AppendString(append(dst, ','), server)
	dst = strconv.AppendInt(append(dst, `,[`...), c.Start, 10)
	dst = strconv.AppendInt(append(dst, ','), c.Base, 10)
	dst = append(dst, ']')
	if raw := c.subprotocol(c.Server); raw != nil {
		dst = append(append(append(dst, `,{"subprotocol":`...), raw...), '}')
	}
	return append(dst, ']')
}

// subprotocol is a SemVer as this client's version of the protocol has it, nil where there is none.
func (c *Conn) subprotocol(text string) []byte {
	if text == "" {
		return nil
	}
	if c.Version >= numberVersion {
		raw, _ := majorOf(text)
		return raw
	}
	return rawjson.AppendString(nil, text)
}
