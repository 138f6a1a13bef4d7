package auth

import (
	"testing"

	"github.com/protocol-bridge/bridge/upstream"
)

func TestStatic(t *testing.T) {
	b := NewStatic("static.dev", []Token{{"good-token", "38"}, {"other", "39"}})
	tests := map[string]struct {
		req  Request
		user string // empty: denied
	}{
		"token":                    {Request{HasToken: true, Token: "good-token"}, "38"},
		"another token":            {Request{HasToken: true, Token: "other"}, "39"},
		"token and its user":       {Request{HasToken: true, Token: "good-token", UserID: "38"}, "38"},
		"token of somebody else":   {Request{HasToken: true, Token: "good-token", UserID: "39"}, ""},
		"wrong token":              {Request{HasToken: true, Token: "Good-token"}, ""},
		"beginning of a token":     {Request{HasToken: true, Token: "good"}, ""},
		"empty token":              {Request{HasToken: true}, ""},
		"no token":                 {Request{Token: "good-token"}, ""},
		"user id as token":         {Request{HasToken: true, Token: "38", UserID: "38"}, ""},
		"user id without a token":  {Request{UserID: "38"}, ""},
		"token and something else": {Request{HasToken: true, Token: "good-token "}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := upstream.OK
			if tt.user == "" {
				want = upstream.Denied
			}
			got := b.Authenticate(t.Context(), &tt.req)
			wantOutcome(t, name, got, want)
			if got.UserID != tt.user {
				t.Errorf("user %q, want %q", got.UserID, tt.user)
			}
		})
	}
	if b.Realm() != "static.dev" {
		t.Errorf("realm %q", b.Realm())
	}
}
