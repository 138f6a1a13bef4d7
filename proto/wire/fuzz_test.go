package wire_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// What decodes, re-encodes to something that decodes to the same, and protobuf agrees on both.
func FuzzEvents(f *testing.F) {
	for _, e := range events() {
		b, err := proto.Marshal(&pluginv1.LinkRequest{Events: []*pluginv1.Event{e.pb}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		n := 0
		known := true
		err := wire.Events(b, func(e *wire.Event) error {
			n++
			if e.Kind == 0 {
				known = false
				return nil
			}
			var err error
			again, err = wire.AppendEvent(again, e)
			return err
		})
		if err != nil || !known {
			return
		}
		m := 0
		var third []byte
		err = wire.Events(again, func(e *wire.Event) error {
			m++
			var err error
			third, err = wire.AppendEvent(third, e)
			return err
		})
		if err != nil || n != m {
			t.Fatalf("%d events became %d: %v", n, m, err)
		}
		checkSame(t, again, third, new(pluginv1.LinkRequest), new(pluginv1.LinkRequest))
	})
}

func FuzzSteps(f *testing.F) {
	for _, c := range commands() {
		b, err := proto.Marshal(&pluginv1.LinkResponse{Steps: []*pluginv1.Step{{Actor: 1, Seq: 2, Commands: []*pluginv1.Command{c.pb}}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var again, third []byte
		n, m := 0, 0
		known := true
		err := wire.Steps(b, new(wire.Step), func(s *wire.Step) error {
			n++
			for i := range s.Commands {
				known = known && s.Commands[i].Kind != 0
			}
			if !known {
				return nil
			}
			var err error
			again, err = wire.AppendStep(again, s)
			return err
		})
		if err != nil || !known {
			return
		}
		err = wire.Steps(again, new(wire.Step), func(s *wire.Step) error {
			m++
			var err error
			third, err = wire.AppendStep(third, s)
			return err
		})
		if err != nil || n != m {
			t.Fatalf("%d steps became %d: %v", n, m, err)
		}
		checkSame(t, again, third, new(pluginv1.LinkResponse), new(pluginv1.LinkResponse))
	})
}

// checkSame compares two encodings of one batch. Keys and reasons may be bytes that protobuf would
// refuse as text: they are compared as bytes then.
func checkSame(t *testing.T, a, b []byte, ma, mb proto.Message) {
	t.Helper()
	if proto.Unmarshal(a, ma) != nil {
		if !bytes.Equal(a, b) {
			t.Fatalf("%x\nbecame %x", a, b)
		}
		return
	}
	if err := proto.Unmarshal(b, mb); err != nil || !proto.Equal(ma, mb) {
		t.Fatalf("%x\nbecame %x (%v)", a, b, err)
	}
}
