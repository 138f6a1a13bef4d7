// Package echoplugin is the plugin that the measurements run: it sends back what it gets, and puts
// state in one event of ten, as a protocol that remembers something now and then does.
//
// The first byte of a frame says whether it is more than an echo: [Subscribe] joins [Channel] and
// answers with the frame, [Publish] and [Template] send the frame to all members.
package echoplugin

import (
	"encoding/binary"

	"github.com/protocol-bridge/bridge/sdk"
)

// Frames that begin with one of these are not echoed.
const (
	Subscribe = '+'
	Publish   = '!' // the same bytes to every member
	Template  = '?' // with an id of [IDLength] characters behind the frame, another for each member
)

// Channel is what is subscribed and published to.
const Channel = "bench/all"

// IDLength is the length of the id that differs from member to member.
const IDLength = 10

// stateEvery is in how many events one puts state.
const stateEvery = 10

// Plugin is the plugin. Its state is the number of the event that put it.
type Plugin struct{}

var _ sdk.Plugin[struct{}] = Plugin{}

// Describe implements sdk.Plugin.
func (Plugin) Describe() sdk.Info {
	return sdk.Info{Name: "echo", Version: "1.0.0", StateVersion: 1}
}

// Step implements sdk.Plugin.
func (Plugin) Step(s *sdk.Session[struct{}], ev sdk.Event) error {
	f, ok := ev.(sdk.Frame)
	if !ok {
		return nil
	}
	if s.Seq()%stateEvery == 0 {
		var seq [8]byte
		s.Put("seq", binary.BigEndian.AppendUint64(seq[:0], s.Seq()))
	}
	verb := byte(0)
	if len(f.Data) > 0 {
		verb = f.Data[0]
	}
	switch verb {
	case Publish, Template:
		frame := sdk.OutFrame{Data: f.Data, Binary: f.Binary}
		if verb == Template {
			frame.Slots = []sdk.Slot{{At: len(f.Data), RandomID: IDLength}}
		}
		s.PublishAs(sdk.Publication{Channels: []string{Channel}, Frames: []sdk.OutFrame{frame}})
		return nil
	case Subscribe:
		s.Join(Channel)
	}
	if f.Binary {
		s.Binary(f.Data)
	} else {
		s.Send(f.Data)
	}
	return nil
}
