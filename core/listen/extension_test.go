package listen

import (
	"strings"
	"testing"
)

// TestDeflateOffers holds what clients may offer against what is answered (RFC 7692, 5 and 7.1).
func TestDeflateOffers(t *testing.T) {
	const (
		plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
		full  = plain + "; server_max_window_bits=15"
	)
	for _, tt := range []struct{ name, offer, want string }{
		{"alone", "permessage-deflate", plain},
		{"in another case", "PerMessage-Deflate", plain},
		{"as browsers do", "permessage-deflate; client_max_window_bits", plain},
		{"client_max_window_bits of 8", "permessage-deflate; client_max_window_bits=8", plain},
		{"client_max_window_bits of 15", "permessage-deflate; client_max_window_bits=15", plain},
		{"client_max_window_bits in quotes", `permessage-deflate; client_max_window_bits="10"`, plain},
		{"an escape in quotes", `permessage-deflate; client_max_window_bits="1\0"`, plain},
		{"both without takeover", plain, plain},
		{"server_max_window_bits of 15", "permessage-deflate; server_max_window_bits=15", full},
		{"all parameters", "permessage-deflate; server_max_window_bits=15; client_max_window_bits=12; client_no_context_takeover; server_no_context_takeover", full},
		{"no spaces", "permessage-deflate;client_max_window_bits=12;server_max_window_bits=15", full},
		{"spaces everywhere", " permessage-deflate \t; client_max_window_bits = 12 ; client_no_context_takeover ", plain},
		{"behind another extension", "x-other; permessage-deflate, permessage-deflate", plain},
		{"a fallback", "permessage-deflate; server_max_window_bits=10, permessage-deflate", plain},
		{"the first of two", "permessage-deflate; server_max_window_bits=15, permessage-deflate", full},
		{"an unknown parameter, a fallback", "permessage-deflate; strange, permessage-deflate; client_max_window_bits", plain},
		{"in two fields", "x-other\npermessage-deflate", plain},
		{"empty elements", ", ,permessage-deflate,,", plain},
		{"another extension's value in quotes", `x-other; a="b", permessage-deflate`, plain},

		{"nothing", "", ""},
		{"another extension", "x-webkit-deflate-frame", ""},
		{"a name that begins so", "permessage-deflate2", ""},
		{"an unknown parameter", "permessage-deflate; strange", ""},
		{"a parameter in another case", "permessage-deflate; Server_No_Context_Takeover", ""},
		{"a smaller window of ours", "permessage-deflate; server_max_window_bits=14", ""},
		{"server_max_window_bits without a value", "permessage-deflate; server_max_window_bits", ""},
		{"server_max_window_bits of 16", "permessage-deflate; server_max_window_bits=16", ""},
		{"server_max_window_bits with a zero", "permessage-deflate; server_max_window_bits=015", ""},
		{"client_max_window_bits of 7", "permessage-deflate; client_max_window_bits=7", ""},
		{"client_max_window_bits of 16", "permessage-deflate; client_max_window_bits=16", ""},
		{"client_max_window_bits with a zero", "permessage-deflate; client_max_window_bits=08", ""},
		{"client_max_window_bits with a sign", "permessage-deflate; client_max_window_bits=+9", ""},
		{"client_max_window_bits of a word", "permessage-deflate; client_max_window_bits=ten", ""},
		{"client_max_window_bits beyond numbers", "permessage-deflate; client_max_window_bits=" + strings.Repeat("9", 100), ""},
		{"an empty value", "permessage-deflate; client_max_window_bits=", ""},
		{"an empty value in quotes", `permessage-deflate; client_max_window_bits=""`, ""},
		{"quotes that are not closed", `permessage-deflate; client_max_window_bits="10`, ""},
		{"an escape that is not ended", `permessage-deflate; client_max_window_bits="10\`, ""},
		{"a space in quotes", `permessage-deflate; client_max_window_bits="1 0"`, ""},
		{"server_no_context_takeover with a value", "permessage-deflate; server_no_context_takeover=1", ""},
		{"client_no_context_takeover with a value", "permessage-deflate; client_no_context_takeover=true", ""},
		{"a parameter twice", "permessage-deflate; client_no_context_takeover; client_no_context_takeover", ""},
		{"a parameter twice, alike", "permessage-deflate; client_max_window_bits=10; client_max_window_bits=10", ""},
		{"a parameter twice, once without a value", "permessage-deflate; client_max_window_bits; client_max_window_bits=10", ""},
		{"no parameter behind a semicolon", "permessage-deflate;", ""},
		{"two semicolons", "permessage-deflate;; client_max_window_bits", ""},
		{"two names", "permessage-deflate client_max_window_bits", ""},
		{"a fault behind a good offer", "permessage-deflate, x=1", ""},
		{"a fault before a good offer", "; permessage-deflate, permessage-deflate", ""},
		{"a byte beyond ASCII", "permessage-deflate; ä", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var fields [][]byte
			for line := range strings.SplitSeq(tt.offer, "\n") {
				fields = append(fields, []byte(line))
			}
			if got := acceptDeflate(fields); got != tt.want {
				t.Errorf("offer %q\ngot  %q\nwant %q", tt.offer, got, tt.want)
			}
		})
	}
}

// TestDeflateHandshake: an offer that is declined is no reason to refuse a handshake.
func TestDeflateHandshake(t *testing.T) {
	const accepted = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	f := start(t, newPeer(), Config{Compression: true})
	for _, tt := range []struct {
		name, offer string
		on          bool
		want        string
	}{
		{"accepted", "permessage-deflate; client_max_window_bits", true, accepted + "\r\n"},
		{"with the window", "permessage-deflate; server_max_window_bits=15", true, accepted + "; server_max_window_bits=15\r\n"},
		{"declined", "permessage-deflate; server_max_window_bits=9", true, ""},
		{"malformed", "permessage-deflate;;=", true, ""},
		{"none", "", true, ""},
		{"switched off", "permessage-deflate", false, ""},
		{"switched on again", "permessage-deflate", true, accepted + "\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.SetCompression(tt.on)
			c := f.raw(t)
			c.send(t, offering(tt.offer))
			head := c.head(t)
			if !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, tt.want) ||
				strings.Count(strings.ToLower(head), "extensions") != min(len(tt.want), 1) {
				t.Errorf("offer %q, answer\n%s\nwant %q", tt.offer, head, tt.want)
			}
			// RSV1 is taken where it was agreed on, else not.
			c.send(t, clientFrame(wholeText|compressed, "\xf2\x48\xcd\xc9\xc9\x07\x00"))
			want := served(wholeText, "Hello")
			if tt.want == "" {
				want = "\x88\x10\x03\xeaprotocol error"
			}
			if got := c.read(t, len(want)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// offering is a handshake with an offer; empty: with none.
func offering(offer string) string {
	if offer == "" {
		return handshakeText
	}
	return strings.TrimSuffix(handshakeText, "\r\n") + "Sec-WebSocket-Extensions: " + offer + "\r\n\r\n"
}

// FuzzDeflateOffers: of any bytes, what is accepted was offered, and the answer is one that could be
// offered in its turn.
func FuzzDeflateOffers(f *testing.F) {
	for _, offer := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits, x", `a; b="\c", permessage-deflate;server_max_window_bits=15`,
		`permessage-deflate; client_max_window_bits="1`, ",,;", "permessage-deflate; x=\"\\",
	} {
		f.Add(offer)
	}
	f.Fuzz(func(t *testing.T, offer string) {
		answer := acceptDeflate([][]byte{[]byte(offer)})
		if answer == "" {
			return
		}
		if !strings.Contains(strings.ToLower(offer), "permessage-deflate") {
			t.Errorf("%q is answered with %q", offer, answer)
		}
		if again := acceptDeflate([][]byte{[]byte(answer)}); again != answer {
			t.Errorf("%q is answered with %q", answer, again)
		}
	})
}
