package logux

import (
	"net/http"
	"strconv"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

var unavailable = &refusal{http.StatusBadGateway, "Upstream unavailable"}

// stepRelay serves the control endpoint of an existing Logux server: what it takes is passed on there,
// and published here once the server has taken it. It keeps no state: the commands are in the tag of the
// call that passes them on.
func (p *Plugin) stepRelay(s *session, ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Request:
		if r := p.relay(s, e); r != nil {
			refuse(s, r)
		}
	case sdk.Answer:
		if e.Last {
			p.relayed(s, e)
		}
	}
	return nil
}

func (p *Plugin) relay(s *session, e sdk.Request) *refusal {
	switch {
	case endpoint(s) != "/":
		return wrongPath
	case s.Info().Method != http.MethodPost:
		return wrongMethod
	}
	env, r := p.envelope(s, e, config(s).Secret, wrongFormat)
	if r != nil {
		return r
	}
	if _, r = p.actionsOf(s, env.Commands); r != nil {
		return r
	}
	list := []byte{'['}
	for i, raw := range env.Commands {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, raw...)
	}
	list = append(list, ']')
	s.Call(sdk.Call{Tag: string(list), Target: sdk.Ask{Raw: list}})
	return nil
}

// relayed is what the server said.
func (p *Plugin) relayed(s *session, a sdk.Answer) {
	status, body, ok := responseOf(a.Raw)
	if !ok {
		refuse(s, unavailable)
		return
	}
	if a.OK() {
		var commands [][]byte
		for raw := range rawjson.Elements([]byte(a.Tag)) {
			commands = append(commands, raw)
		}
		actions, _ := p.actionsOf(s, commands) // checked before they were passed on
		actions.bring(s)
	}
	s.Respond(sdk.Response{Status: status, Headers: plainText(), Body: body})
}

// responseOf takes the response of a Logux server apart, {"status","body"}; ok is false where there is
// none.
func responseOf(raw []byte) (status int, body []byte, ok bool) {
	for key, value := range rawjson.Members(raw) {
		switch name, _ := rawjson.Text(key); string(name) {
		case "status":
			status, _ = strconv.Atoi(string(value))
		case "body":
			body, _ = rawjson.Text(value)
		}
	}
	return status, body, status != 0
}
