package wire_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// What is encoded by hand and what is left to protobuf must look alike, in both directions.
func TestAnswersAreWhatProtobufWrites(t *testing.T) {
	plain := &pluginv1.Answer{
		Tag: "täg", Last: true, Outcome: pluginv1.Outcome_OUTCOME_DENIED, Reason: "why", Payload: []byte("{}"), HasPayload: true,
		Count: 1 << 40, Raw: []byte{0, 255}, CallSeq: 300, CallIndex: 7, Supported: "1.0", Subprotocol: "2.0", OnBehalf: true,
	}
	with := func(change func(*pluginv1.Answer)) *pluginv1.Answer {
		a := proto.Clone(plain).(*pluginv1.Answer)
		change(a)
		return a
	}
	for name, want := range map[string]*pluginv1.Answer{
		"plain":            plain,
		"negative outcome": with(func(a *pluginv1.Answer) { a.Outcome = -1 }),
		"items":            with(func(a *pluginv1.Answer) { a.Items = []*pluginv1.Item{{Type: "t", Channels: []string{"c"}}} }),
		"identity":         with(func(a *pluginv1.Answer) { a.Identity = &pluginv1.Identity{UserId: "38"} }),
		"empty identity":   with(func(a *pluginv1.Answer) { a.Identity = new(pluginv1.Identity) }),
		"channels":         with(func(a *pluginv1.Answer) { a.Channels = []string{"", "c"} }),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := wire.AppendEvent(nil, &wire.Event{Actor: 1, Kind: wire.Answer, Cold: want})
			if err != nil {
				t.Fatal(err)
			}
			var request pluginv1.LinkRequest
			if err := proto.Unmarshal(b, &request); err != nil {
				t.Fatal(err)
			}
			if got := request.GetEvents()[0].GetAnswer(); !proto.Equal(got, want) {
				t.Errorf("protobuf reads %v, want %v", got, want)
			}
			err = wire.Events(marshal(t, &request), func(e *wire.Event) error {
				if !proto.Equal(e.Cold, want) {
					t.Errorf("got %v, want %v", e.Cold, want)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCallsAreWhatProtobufWrites(t *testing.T) {
	ask := &pluginv1.Ask{
		Type: "t", Payload: []byte("{}"), MessageId: "m", Channel: "c", Purpose: "subscribe", Raw: []byte{0, 255},
		Push: true, Together: true, Version: 3, UserId: "38",
	}
	for name, want := range map[string]*pluginv1.Call{
		"ask":       {Tag: "t", Order: "o", Parallel: 1 << 31, Target: &pluginv1.Call_Ask{Ask: ask}},
		"empty ask": {Target: &pluginv1.Call_Ask{Ask: new(pluginv1.Ask)}},
		"authenticate": {Tag: "t", Target: &pluginv1.Call_Authenticate{Authenticate: &pluginv1.Authenticate{
			UserId: "38", OnBehalf: true, Cookies: []*pluginv1.Entry{{Key: "token", Value: []byte("v")}},
		}}},
		"select":  {Tag: "t", Target: &pluginv1.Call_Select{Select: &pluginv1.Select{Channel: "c"}}},
		"nothing": {Tag: "t"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := wire.AppendStep(nil, &wire.Step{Actor: 1, Commands: []wire.Command{{Kind: wire.Call, Cold: want}}})
			if err != nil {
				t.Fatal(err)
			}
			var response pluginv1.LinkResponse
			if err := proto.Unmarshal(b, &response); err != nil {
				t.Fatal(err)
			}
			if got := response.GetSteps()[0].GetCommands()[0].GetCall(); !proto.Equal(got, want) {
				t.Errorf("protobuf reads %v, want %v", got, want)
			}
			err = wire.Steps(marshal(t, &response), new(wire.Step), func(s *wire.Step) error {
				if got := s.Commands[0].Cold; !proto.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A batch is freed once it is walked, and used again.
func TestAsksAndAnswersOwnTheirBytes(t *testing.T) {
	answer := &pluginv1.Answer{Tag: "tag", Payload: []byte("payload"), HasPayload: true}
	b, err := wire.AppendEvent(nil, &wire.Event{Actor: 1, Kind: wire.Answer, Cold: answer})
	if err != nil {
		t.Fatal(err)
	}
	err = wire.Events(b, func(e *wire.Event) error {
		clear(b)
		if !proto.Equal(e.Cold, answer) {
			t.Errorf("got %v, want %v", e.Cold, answer)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAsksAndAnswersThatAreNotUTF8AreRefused(t *testing.T) {
	bad := strings.Repeat("\xff", 3)
	for _, a := range []*pluginv1.Answer{{Reason: bad}, {Subprotocol: bad}} {
		if _, err := wire.AppendEvent(nil, &wire.Event{Kind: wire.Answer, Cold: a}); err == nil {
			t.Errorf("%v was encoded", a)
		}
	}
	call := &pluginv1.Call{Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{Type: bad}}}
	if _, err := wire.AppendStep(nil, &wire.Step{Commands: []wire.Command{{Kind: wire.Call, Cold: call}}}); err == nil {
		t.Error("a call was encoded")
	}
}

func TestPublicationsAreWhatProtobufWrites(t *testing.T) {
	slots := func(n int) (list []*pluginv1.Slot) {
		for i := range n {
			list = append(list, &pluginv1.Slot{At: uint32(i), RandomId: 7, Number: -1 << 40, Minus: "base"})
		}
		return list
	}
	plain := &pluginv1.Publish{
		Channels: []string{"", "chännel"}, ExceptChannels: []string{"c", ""},
		Content: &pluginv1.Content{Type: "t", Payload: []byte("{}"), AuthorRealm: "r", AuthorId: "38", Time: -1, Id: "1", Origin: "o"},
		Variants: []*pluginv1.Variant{
			{Name: "n", Data: []byte{0, 255}, Binary: true, Slots: slots(3)}, {Slots: slots(6)}, {}, {Data: []byte("x")},
		},
	}
	with := func(change func(*pluginv1.Publish)) *pluginv1.Publish {
		p := proto.Clone(plain).(*pluginv1.Publish)
		change(p)
		return p
	}
	for name, want := range map[string]*pluginv1.Publish{
		"plain":         plain,
		"nothing":       {},
		"empty content": {Content: new(pluginv1.Content)},
		"except":        with(func(p *pluginv1.Publish) { p.Except = []uint64{1, 1 << 60} }),
		"no content":    with(func(p *pluginv1.Publish) { p.Content = nil }),
		"in an order":   with(func(p *pluginv1.Publish) { p.OrderKey, p.OrderNumber, p.Always = "room", 1<<63, true }),
		"then": with(func(p *pluginv1.Publish) {
			p.Then = []*pluginv1.Frames{{Variants: p.GetVariants()}, {}, {Variants: []*pluginv1.Variant{{Data: []byte("x")}}}}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			b := marshal(t, &pluginv1.LinkResponse{Steps: []*pluginv1.Step{{Actor: 1, Commands: []*pluginv1.Command{
				{Kind: &pluginv1.Command_Publish{Publish: want}},
			}}}})
			err := wire.Steps(b, new(wire.Step), func(s *wire.Step) error {
				if got := s.Commands[0].Cold; !proto.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
