package lines

import (
	"bytes"
	"hash/crc32"
	"strconv"

	"github.com/protocol-bridge/bridge/sdk"
)

// rawVerb has the verbs of TCP.
func rawVerb(s *sdk.Session[State], verb string, rest []byte) error {
	n, err := strconv.ParseUint(string(rest), 10, 32)
	if err != nil || s.Info().Transport != sdk.TCP {
		return sdk.Reject("not a number, or not on TCP", sdk.KeepOpen)
	}
	if verb == "BYTES" {
		s.Binary(bytes.Repeat([]byte("x"), int(n)))
		return nil
	}
	s.State.Want, s.State.Got, s.State.Sum = n, 0, 0
	s.Raw(n)
	return nil
}

// took notes a chunk of raw bytes.
func took(s *sdk.Session[State], data []byte) {
	s.State.Got += uint64(len(data))
	s.State.Sum = crc32.Update(s.State.Sum, crc32.IEEETable, data)
	if s.State.Got == s.State.Want {
		s.Textf("raw %d %08x", s.State.Got, s.State.Sum)
	}
}

// ended answers the end of what a client sends.
func ended(s *sdk.Session[State]) {
	if s.State.Want == 0 && s.State.Got > 0 {
		s.Textf("raw %d %08x", s.State.Got, s.State.Sum)
	}
	s.Text("eof")
	s.Close(sdk.CloseNormal)
}
