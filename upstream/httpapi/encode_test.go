package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream"
)

func TestAppendRequest(t *testing.T) {
	t.Parallel()
	full := upstream.Request{
		ID: "7.3.0", Time: 5, Number: 9, Protocol: "ctproto", Route: "/client", Session: "1234567890123456789",
		UserID: "38", Claims: []byte(`{"n":12345678901234567890, "z":1.00,"a":null}`), RemoteAddress: "203.0.113.9:1234",
		Purpose: "message", MessageID: "abcdefghij", Channel: "news", Type: "sum", Payload: []byte("{ \"b\":1.0,\n\"a\":1463786910324359168 }"),
	}
	tests := []struct {
		name string
		req  upstream.Request
		want string
	}{
		{
			"everything", full,
			`{"version":1,"event":"message","protocol":"ctproto","route":"/client","session":"1234567890123456789","id":"7.3.0",` +
				`"message_id":"abcdefghij","remote_address":"203.0.113.9:1234","user_id":"38",` +
				`"claims":{"n":12345678901234567890, "z":1.00,"a":null},"channel":"news","type":"sum",` +
				"\"payload\":{ \"b\":1.0,\n\"a\":1463786910324359168 }}",
		},
		{"nothing", upstream.Request{Purpose: "closed"}, `{"version":1,"event":"closed"}`},
		{
			"subscription",
			upstream.Request{Purpose: "subscribe", Session: "1", Channel: `a"b`},
			`{"version":1,"event":"subscribe","session":"1","channel":"a\"b"}`,
		},
		{"null", upstream.Request{Purpose: "message", Payload: []byte("null")}, `{"version":1,"event":"message","payload":null}`},
		{"empty list", upstream.Request{Purpose: "message", Payload: []byte("[]")}, `{"version":1,"event":"message","payload":[]}`},
		{"empty claims", upstream.Request{Purpose: "message", Claims: []byte("{}")}, `{"version":1,"event":"message","claims":{}}`},
		{"not UTF-8", upstream.Request{Purpose: "message", Type: "a\xff"}, "{\"version\":1,\"event\":\"message\",\"type\":\"a\uFFFD\"}"},
	}
	for _, test := range tests {
		if err := Check(&test.req); err != nil {
			t.Errorf("%s is refused: %v", test.name, err)
		}
		got := string(AppendRequest([]byte("x"), &test.req))
		if got != "x"+test.want || !json.Valid([]byte(test.want)) {
			t.Errorf("%s is written\n%s, want\n%s", test.name, got, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		req  upstream.Request
		want error
	}{
		{"no payload", upstream.Request{Purpose: "message"}, nil},
		{"payload", upstream.Request{Purpose: "message", Payload: []byte(` "x" `)}, nil},
		{"empty payload", upstream.Request{Purpose: "message", Payload: []byte{}}, ErrPayload},
		{"two payloads", upstream.Request{Purpose: "message", Payload: []byte(`1,"user_id":"1"`)}, ErrPayload},
		{"half a payload", upstream.Request{Purpose: "closed", Payload: []byte(`{"a":`)}, ErrPayload},
		{"raw", upstream.Request{Purpose: "message", Raw: []byte(`["action",{},{"id":"1"}]`)}, ErrRaw},
		{"no purpose", upstream.Request{}, ErrPurpose},
		{"authorization", upstream.Request{Purpose: "authorize"}, ErrPurpose},
	}
	for _, test := range tests {
		if got := Check(&test.req); !errors.Is(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestAppendAuthorize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		auth Authorize
		want string
	}{
		{
			"everything",
			Authorize{
				ID: "7.3.0", Protocol: "logux", Route: "/*", Session: "5", RemoteAddress: "[::1]:9", UserID: "38",
				Token: `g"d`, HasToken: true, Payload: []byte(`{"token":1.00}`),
			},
			`{"version":1,"event":"authorize","protocol":"logux","route":"/*","session":"5","id":"7.3.0","remote_address":"[::1]:9",` +
				`"user_id":"38","token":"g\"d","payload":{"token":1.00}}`,
		},
		{"nothing", Authorize{}, `{"version":1,"event":"authorize"}`},
		{"empty token", Authorize{HasToken: true}, `{"version":1,"event":"authorize","token":""}`},
		{"no token", Authorize{Token: "x"}, `{"version":1,"event":"authorize"}`},
		{"null", Authorize{Payload: []byte("null")}, `{"version":1,"event":"authorize","payload":null}`},
		{"empty list", Authorize{Payload: []byte("[]")}, `{"version":1,"event":"authorize","payload":[]}`},
	}
	for _, test := range tests {
		if err := CheckAuthorize(&test.auth); err != nil {
			t.Errorf("%s is refused: %v", test.name, err)
		}
		if got := string(AppendAuthorize(nil, &test.auth)); got != test.want {
			t.Errorf("%s is written\n%s, want\n%s", test.name, got, test.want)
		}
	}
	if err := CheckAuthorize(&Authorize{Payload: []byte("{")}); !errors.Is(err, ErrPayload) {
		t.Errorf("half a payload: %v, want %v", err, ErrPayload)
	}
}

// Whatever strangers put into a question, the body is one object that says what they put there.
func FuzzAppendRequest(f *testing.F) {
	f.Add("38", "sum", "news", "t", []byte(`{"a":1}`))
	f.Add(`","user_id":"1`, "\x00\u2028", "é", "", []byte(`1,"x":2`))
	f.Add("", "", "", "\xff", []byte("null"))
	f.Fuzz(func(t *testing.T, user, typ, channel, token string, payload []byte) {
		req := upstream.Request{Purpose: "message", UserID: user, Type: typ, Channel: channel, MessageID: token, Payload: payload}
		auth := Authorize{UserID: user, Token: token, HasToken: true, Payload: payload}
		if Check(&req) != nil {
			if CheckAuthorize(&auth) == nil {
				t.Errorf("payload %q is refused in a question and not in an authorization", payload)
			}
			return
		}
		if !utf8.ValidString(user) || !utf8.ValidString(typ) || !utf8.ValidString(channel) || !utf8.ValidString(token) {
			return
		}
		var got struct {
			UserID    string          `json:"user_id"`
			Type      string          `json:"type"`
			Channel   string          `json:"channel"`
			MessageID string          `json:"message_id"`
			Token     string          `json:"token"`
			Payload   json.RawMessage `json:"payload"`
		}
		body := AppendRequest(nil, &req)
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if got.UserID != user || got.Type != typ || got.Channel != channel || got.MessageID != token || !same(got.Payload, payload) {
			t.Errorf("%q says %+v", body, got)
		}
		body = AppendAuthorize(nil, &auth)
		if err := json.Unmarshal(body, &got); err != nil || got.UserID != user || got.Token != token || !same(got.Payload, payload) {
			t.Errorf("%q says %+v, %v", body, got, err)
		}
	})
}

// same compares what json.Unmarshal kept of a payload with it: it leaves out white space around.
func same(got, payload []byte) bool {
	return bytes.Equal(got, bytes.Trim(payload, " \t\r\n"))
}
