package logux

import (
	"testing"

	"github.com/protocol-bridge/bridge/sdk"
)

func TestMask(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mask    []string
		address string
		local   bool
		want    bool
	}{
		{[]string{"127.0.0.1/8", "::1/128"}, "127.0.0.1:1", true, true},
		{[]string{"127.0.0.1/8", "::1/128"}, "127.9.9.9:1", true, true},
		{[]string{"127.0.0.1/8", "::1/128"}, "[::1]:1", true, true},
		{[]string{"127.0.0.1/8", "::1/128"}, "[::ffff:127.0.0.1]:1", true, true},
		{[]string{"127.0.0.1/8", "::1/128"}, "10.0.0.1:1", false, false},
		{[]string{"127.0.0.1/8", "::1/128"}, "[::2]:1", false, false},
		// It is forwarded by somebody who is not trusted.
		{[]string{"127.0.0.1/8", "::1/128"}, "127.0.0.1:1", false, false},
		{[]string{"0.0.0.0/0", "::/0"}, "127.0.0.1:1", false, false},
		{[]string{"0.0.0.0/0"}, "203.0.113.9:1", false, true},
		{[]string{"0.0.0.0/0"}, "[2001:db8::1]:1", false, false},
		{[]string{"10.0.0.0/8", " 192.168.1.7 "}, "192.168.1.7:1", false, true},
		{[]string{"10.0.0.0/8", "192.168.1.7"}, "192.168.1.8:1", false, false},
		{[]string{"10.9.9.9/8"}, "10.0.0.1:1", false, true},
		{[]string{"::ffff:10.0.0.0/104"}, "10.0.0.1:1", false, true},
		{[]string{"::ffff:10.0.0.1"}, "10.0.0.1:1", false, true},
		{[]string{"2001:db8::/32"}, "[2001:db8::1%eth0]:1", false, true},
		{nil, "127.0.0.1:1", true, false},
		{[]string{"0.0.0.0/0"}, "pipe", false, false},
	}
	for _, test := range tests {
		mask, err := parseMask(test.mask)
		if err != nil {
			t.Errorf("%q: %v", test.mask, err)
		}
		if got := mask.allows(&sdk.SessionInfo{RemoteAddress: test.address, Local: test.local}); got != test.want {
			t.Errorf("%q allows %s, local %t: %t", test.mask, test.address, test.local, got)
		}
	}
	for _, bad := range []string{"", "localhost", "10.0.0.0/33", "10.0.0/8", "10.0.0.1-10.0.0.9", "fe80::1%eth0/64"} {
		if mask, err := parseMask([]string{bad}); err == nil {
			t.Errorf("%q is taken for %v", bad, mask)
		}
	}
}
