package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// events has one of every kind, in both forms, and the edges of the hot ones.
func events() map[string]struct {
	wire wire.Event
	pb   *pluginv1.Event
} {
	snapshot := &pluginv1.Snapshot{
		ActorKind: pluginv1.ActorKind_ACTOR_KIND_SESSION, Route: "r",
		Session:  &pluginv1.SessionInfo{Path: "/x", Local: true, Headers: []*pluginv1.Entry{{Key: "host", Value: []byte("h")}}},
		Identity: &pluginv1.Identity{Realm: "static.dev", UserId: "38", Claims: []byte(`{"a":1}`)},
		State:    []*pluginv1.Entry{{Key: "$", Value: []byte{0, 255}}},
	}
	var (
		answer   = &pluginv1.Answer{Tag: "t", Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Payload: []byte("1"), HasPayload: true}
		vouched  = &pluginv1.Answer{Tag: "t", Last: true, Identity: &pluginv1.Identity{UserId: "38"}, Subprotocol: "1.2.0", OnBehalf: true}
		closed   = &pluginv1.Closed{Code: 1006, Reason: "lost", ByClient: true}
		spoken   = &pluginv1.Answer{Raw: []byte("[1],[2]"), Subprotocol: "1.2.0", OnBehalf: true}
		opened   = &pluginv1.Opened{Snapshot: snapshot}
		resumed  = &pluginv1.Resumed{Snapshot: snapshot}
		message  = &pluginv1.Message{Channels: []string{"a", "b"}, Content: &pluginv1.Content{Type: "t", Payload: []byte("{}"), Time: 5}}
		request  = &pluginv1.Request{Snapshot: snapshot, Body: []byte("body"), Streamed: true}
		bound    = &pluginv1.Bound{Snapshot: snapshot}
		delivery = &pluginv1.Delivery{Topic: "t", Id: 7, Data: []byte("d"), Attempt: 2}
	)
	type pair = struct {
		wire wire.Event
		pb   *pluginv1.Event
	}
	list := map[string]pair{
		"frame":        {wire.Event{Kind: wire.Frame, Data: []byte("data")}, &pluginv1.Event{Kind: &pluginv1.Event_Frame{Frame: &pluginv1.Frame{Data: []byte("data")}}}},
		"binary frame": {wire.Event{Kind: wire.Frame, Data: []byte{0, 255}, Binary: true}, &pluginv1.Event{Kind: &pluginv1.Event_Frame{Frame: &pluginv1.Frame{Data: []byte{0, 255}, Binary: true}}}},
		"empty frame":  {wire.Event{Kind: wire.Frame}, &pluginv1.Event{Kind: &pluginv1.Event_Frame{Frame: &pluginv1.Frame{}}}},
		"long frame":   {wire.Event{Kind: wire.Frame, Data: bytes.Repeat([]byte("x"), 70000)}, &pluginv1.Event{Kind: &pluginv1.Event_Frame{Frame: &pluginv1.Frame{Data: bytes.Repeat([]byte("x"), 70000)}}}},
		"timer":        {wire.Event{Kind: wire.Timer, Name: "idle"}, &pluginv1.Event{Kind: &pluginv1.Event_Timer{Timer: &pluginv1.Timer{Name: "idle"}}}},
		"answer":       {wire.Event{Kind: wire.Answer, Cold: answer}, &pluginv1.Event{Kind: &pluginv1.Event_Answer{Answer: answer}}},
		"vouched":      {wire.Event{Kind: wire.Answer, Cold: vouched}, &pluginv1.Event{Kind: &pluginv1.Event_Answer{Answer: vouched}}},
		"spoken":       {wire.Event{Kind: wire.Answer, Cold: spoken}, &pluginv1.Event{Kind: &pluginv1.Event_Answer{Answer: spoken}}},
		"closed":       {wire.Event{Kind: wire.Closed, Cold: closed}, &pluginv1.Event{Kind: &pluginv1.Event_Closed{Closed: closed}}},
		"opened":       {wire.Event{Kind: wire.Opened, Cold: opened}, &pluginv1.Event{Kind: &pluginv1.Event_Opened{Opened: opened}}},
		"resumed":      {wire.Event{Kind: wire.Resumed, Cold: resumed}, &pluginv1.Event{Kind: &pluginv1.Event_Resumed{Resumed: resumed}}},
		"forget":       {wire.Event{Kind: wire.Forget}, &pluginv1.Event{Kind: &pluginv1.Event_Forget{Forget: &pluginv1.Forget{}}}},
		"message":      {wire.Event{Kind: wire.Message, Cold: message}, &pluginv1.Event{Kind: &pluginv1.Event_Message{Message: message}}},
		"request":      {wire.Event{Kind: wire.Request, Cold: request}, &pluginv1.Event{Kind: &pluginv1.Event_Request{Request: request}}},
		"eof":          {wire.Event{Kind: wire.Eof}, &pluginv1.Event{Kind: &pluginv1.Event_Eof{Eof: &pluginv1.Eof{}}}},
		"bound":        {wire.Event{Kind: wire.Bound, Cold: bound}, &pluginv1.Event{Kind: &pluginv1.Event_Bound{Bound: bound}}},
		"delivery":     {wire.Event{Kind: wire.Delivery, Cold: delivery}, &pluginv1.Event{Kind: &pluginv1.Event_Delivery{Delivery: delivery}}},
		"told":         {wire.Event{Kind: wire.Told, Data: []byte{0, 255}}, &pluginv1.Event{Kind: &pluginv1.Event_Told{Told: &pluginv1.Told{Data: []byte{0, 255}}}}},
		"empty told":   {wire.Event{Kind: wire.Told}, &pluginv1.Event{Kind: &pluginv1.Event_Told{Told: &pluginv1.Told{}}}},
		"empty answer": {wire.Event{Kind: wire.Answer, Cold: &pluginv1.Answer{}}, &pluginv1.Event{Kind: &pluginv1.Event_Answer{Answer: &pluginv1.Answer{}}}},
	}
	for name, p := range list {
		if name != "empty frame" { // one stays without a header at all
			p.wire.Actor, p.wire.Seq, p.wire.Session, p.wire.Time, p.wire.Redelivered = 1<<63, 300, 5, 1789000000000, true
			p.pb.Actor, p.pb.Seq, p.pb.Session, p.pb.Time, p.pb.Redelivered = 1<<63, 300, 5, 1789000000000, true
			list[name] = p
		}
	}
	return list
}

// commands has one of every kind in both forms.
func commands() map[string]struct {
	wire wire.Command
	pb   *pluginv1.Command
} {
	var (
		call  = &pluginv1.Call{Tag: "t", Order: "o", Parallel: 8, Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{Type: "x", Payload: []byte("{}")}}}
		push  = &pluginv1.Call{Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{Raw: []byte("[]"), Push: true, Together: true}}}
		vouch = &pluginv1.Call{Tag: "t", Target: &pluginv1.Call_Authenticate{Authenticate: &pluginv1.Authenticate{
			OnBehalf: true, Cookies: []*pluginv1.Entry{{Key: "k", Value: []byte("v")}},
		}}}
		publish = &pluginv1.Publish{
			Channels: []string{"c"}, Except: []uint64{1, 1 << 40}, ExceptChannels: []string{"$x"}, Content: &pluginv1.Content{Type: "t"},
			Variants: []*pluginv1.Variant{{Data: []byte("d"), Slots: []*pluginv1.Slot{{At: 1, RandomId: 10}, {At: 1, Number: -4, Minus: "n"}}}},
		}
		plain = &pluginv1.Publish{
			Channels: []string{"c", ""}, ExceptChannels: []string{"$x"}, OrderKey: "k", OrderNumber: 1 << 60, Always: true,
			Content: &pluginv1.Content{Type: "t", Payload: []byte("{}"), AuthorRealm: "r", AuthorId: "38", Time: 1789000000000, Id: "7", Origin: "o"},
			Variants: []*pluginv1.Variant{
				{Data: bytes.Repeat([]byte("d"), 300), Slots: []*pluginv1.Slot{{At: 1, RandomId: 10}, {At: 1, Number: -4, Minus: "n"}, {}}},
				{Name: "v", Binary: true},
				{},
			},
			Then: []*pluginv1.Frames{{Variants: []*pluginv1.Variant{{Data: []byte("e")}, {}}}, {}},
		}
		silent  = &pluginv1.Publish{Content: &pluginv1.Content{}}
		encode  = &pluginv1.Encode{Variants: []*pluginv1.Variant{{Name: "v", Data: []byte("x"), Binary: true}}}
		respond = &pluginv1.Respond{Status: 201, Headers: []*pluginv1.Entry{{Key: "k", Value: []byte("v")}}, Body: []byte("b"), Last: true}
		claim   = &pluginv1.Claim{Tag: "t", Name: "n", TakeOver: true, CloseCode: 4000, CloseReason: "r"}
		tune    = &pluginv1.Tune{Variant: "v", Variables: []*pluginv1.Variable{{Name: "n", Value: -1}}}
		framing = &pluginv1.Framing{Raw: true, RawBytes: 9}
		queued  = &pluginv1.Push{Tag: "t", Topic: "p", Data: []byte("d")}
		consume = &pluginv1.Consume{Topic: "p", Window: 3}
	)
	type pair = struct {
		wire wire.Command
		pb   *pluginv1.Command
	}
	return map[string]pair{
		"send":           {wire.Command{Kind: wire.Send, Data: []byte("data"), Number: 7}, &pluginv1.Command{Kind: &pluginv1.Command_Send{Send: &pluginv1.Send{Data: []byte("data"), Settles: 7}}}},
		"binary send":    {wire.Command{Kind: wire.Send, Data: []byte{0, 255}, Binary: true}, &pluginv1.Command{Kind: &pluginv1.Command_Send{Send: &pluginv1.Send{Data: []byte{0, 255}, Binary: true}}}},
		"send, marking":  {wire.Command{Kind: wire.Send, Data: []byte("d"), Key: "room", Mark: 1<<64 - 1}, &pluginv1.Command{Kind: &pluginv1.Command_Send{Send: &pluginv1.Send{Data: []byte("d"), WatermarkKey: "room", WatermarkNumber: 1<<64 - 1}}}},
		"late send":      {wire.Command{Kind: wire.Send, Data: []byte("d"), Late: true}, &pluginv1.Command{Kind: &pluginv1.Command_Send{Send: &pluginv1.Send{Data: []byte("d"), Late: true}}}},
		"empty send":     {wire.Command{Kind: wire.Send}, &pluginv1.Command{Kind: &pluginv1.Command_Send{Send: &pluginv1.Send{}}}},
		"put state":      {wire.Command{Kind: wire.PutState, Key: "k", Data: []byte("v")}, &pluginv1.Command{Kind: &pluginv1.Command_PutState{PutState: &pluginv1.PutState{Key: "k", Value: []byte("v")}}}},
		"call":           {wire.Command{Kind: wire.Call, Cold: call}, &pluginv1.Command{Kind: &pluginv1.Command_Call{Call: call}}},
		"push call":      {wire.Command{Kind: wire.Call, Cold: push}, &pluginv1.Command{Kind: &pluginv1.Command_Call{Call: push}}},
		"vouch call":     {wire.Command{Kind: wire.Call, Cold: vouch}, &pluginv1.Command{Kind: &pluginv1.Command_Call{Call: vouch}}},
		"set timer":      {wire.Command{Kind: wire.SetTimer, Key: "t", Number: 60000}, &pluginv1.Command{Kind: &pluginv1.Command_SetTimer{SetTimer: &pluginv1.SetTimer{Name: "t", AfterMs: 60000}}}},
		"negative timer": {wire.Command{Kind: wire.SetTimer, Key: "t", Number: -1}, &pluginv1.Command{Kind: &pluginv1.Command_SetTimer{SetTimer: &pluginv1.SetTimer{Name: "t", AfterMs: -1}}}},
		"close":          {wire.Command{Kind: wire.Close, Number: 1008, Key: "why"}, &pluginv1.Command{Kind: &pluginv1.Command_Close{Close: &pluginv1.Close{Code: 1008, Reason: "why"}}}},
		"delete state":   {wire.Command{Kind: wire.DeleteState, Key: "k"}, &pluginv1.Command{Kind: &pluginv1.Command_DeleteState{DeleteState: &pluginv1.DeleteState{Key: "k"}}}},
		"join":           {wire.Command{Kind: wire.Join, Key: "c"}, &pluginv1.Command{Kind: &pluginv1.Command_Join{Join: &pluginv1.Join{Channel: "c"}}}},
		"leave":          {wire.Command{Kind: wire.Leave, Key: "c"}, &pluginv1.Command{Kind: &pluginv1.Command_Leave{Leave: &pluginv1.Leave{Channel: "c"}}}},
		"plain publish":  {wire.Command{Kind: wire.Publish, Cold: plain}, &pluginv1.Command{Kind: &pluginv1.Command_Publish{Publish: plain}}},
		"silent publish": {wire.Command{Kind: wire.Publish, Cold: silent}, &pluginv1.Command{Kind: &pluginv1.Command_Publish{Publish: silent}}},
		"publish":        {wire.Command{Kind: wire.Publish, Cold: publish}, &pluginv1.Command{Kind: &pluginv1.Command_Publish{Publish: publish}}},
		"encode":         {wire.Command{Kind: wire.Encode, Cold: encode}, &pluginv1.Command{Kind: &pluginv1.Command_Encode{Encode: encode}}},
		"respond":        {wire.Command{Kind: wire.Respond, Cold: respond}, &pluginv1.Command{Kind: &pluginv1.Command_Respond{Respond: respond}}},
		"bind":           {wire.Command{Kind: wire.Bind, Key: "k"}, &pluginv1.Command{Kind: &pluginv1.Command_Bind{Bind: &pluginv1.Bind{Key: "k"}}}},
		"put context":    {wire.Command{Kind: wire.PutContext, Key: "k", Data: []byte("v")}, &pluginv1.Command{Kind: &pluginv1.Command_PutContext{PutContext: &pluginv1.PutContext{Key: "k", Value: []byte("v")}}}},
		"cancel":         {wire.Command{Kind: wire.Cancel, Key: "t"}, &pluginv1.Command{Kind: &pluginv1.Command_Cancel{Cancel: &pluginv1.Cancel{Tag: "t"}}}},
		"claim":          {wire.Command{Kind: wire.Claim, Cold: claim}, &pluginv1.Command{Kind: &pluginv1.Command_Claim{Claim: claim}}},
		"release":        {wire.Command{Kind: wire.Release, Key: "n"}, &pluginv1.Command{Kind: &pluginv1.Command_Release{Release: &pluginv1.Release{Name: "n"}}}},
		"tune":           {wire.Command{Kind: wire.Tune, Cold: tune}, &pluginv1.Command{Kind: &pluginv1.Command_Tune{Tune: tune}}},
		"framing":        {wire.Command{Kind: wire.Framing, Cold: framing}, &pluginv1.Command{Kind: &pluginv1.Command_Framing{Framing: framing}}},
		"push":           {wire.Command{Kind: wire.Push, Cold: queued}, &pluginv1.Command{Kind: &pluginv1.Command_Push{Push: queued}}},
		"pause":          {wire.Command{Kind: wire.Pause, Cold: &pluginv1.Pause{On: true}}, &pluginv1.Command{Kind: &pluginv1.Command_Pause{Pause: &pluginv1.Pause{On: true}}}},
		"detach":         {wire.Command{Kind: wire.Detach, Key: "t"}, &pluginv1.Command{Kind: &pluginv1.Command_Detach{Detach: &pluginv1.Detach{Tag: "t"}}}},
		"tell":           {wire.Command{Kind: wire.Tell, Key: "k", Data: []byte{0, 255}}, &pluginv1.Command{Kind: &pluginv1.Command_Tell{Tell: &pluginv1.Tell{Key: "k", Data: []byte{0, 255}}}}},
		"empty tell":     {wire.Command{Kind: wire.Tell}, &pluginv1.Command{Kind: &pluginv1.Command_Tell{Tell: &pluginv1.Tell{}}}},
		"consume":        {wire.Command{Kind: wire.Consume, Cold: consume}, &pluginv1.Command{Kind: &pluginv1.Command_Consume{Consume: consume}}},
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEventsAreWhatProtobufWrites(t *testing.T) {
	for name, tt := range events() {
		t.Run(name, func(t *testing.T) {
			want := &pluginv1.LinkRequest{Events: []*pluginv1.Event{tt.pb, tt.pb}}
			var b []byte
			for range want.GetEvents() {
				var err error
				if b, err = wire.AppendEvent(b, &tt.wire); err != nil {
					t.Fatal(err)
				}
			}
			got := new(pluginv1.LinkRequest)
			if err := proto.Unmarshal(b, got); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", protojson.Format(got), protojson.Format(want))
			}
			n := 0
			err := wire.Events(marshal(t, want), func(e *wire.Event) error {
				n++
				return sameEvent(e, &tt.wire)
			})
			if err != nil || n != 2 {
				t.Errorf("%d events, %v", n, err)
			}
		})
	}
}

func sameEvent(got, want *wire.Event) error {
	a, b := *got, *want
	same := bytes.Equal(a.Data, b.Data) && sameMessage(a.Cold, b.Cold)
	a.Data, b.Data, a.Cold, b.Cold = nil, nil, nil, nil
	if !same || fmt.Sprint(a) != fmt.Sprint(b) {
		return fmt.Errorf("got %+v, want %+v", got, want)
	}
	return nil
}

func sameMessage(a, b proto.Message) bool {
	if a == nil || b == nil {
		return a == b
	}
	return proto.Equal(a, b)
}

func TestStepsAreWhatProtobufWrites(t *testing.T) {
	var all []wire.Command
	var allPB []*pluginv1.Command
	for name, tt := range commands() {
		for _, session := range []uint64{0, 1 << 62} {
			tt.wire.Session = session
			pb := proto.CloneOf(tt.pb)
			pb.Session = session
			all, allPB = append(all, tt.wire), append(allPB, pb)
			t.Run(fmt.Sprintf("%s of %d", name, session), func(t *testing.T) {
				checkSteps(t, []wire.Command{tt.wire}, []*pluginv1.Command{pb})
			})
		}
	}
	t.Run("all", func(t *testing.T) { checkSteps(t, all, allPB) })
	t.Run("none", func(t *testing.T) { checkSteps(t, nil, nil) })
}

func checkSteps(t *testing.T, cmds []wire.Command, pbs []*pluginv1.Command) {
	t.Helper()
	step := &wire.Step{Actor: 1<<63 - 1, Seq: 129, Commands: cmds}
	empty := &wire.Step{}
	want := &pluginv1.LinkResponse{Steps: []*pluginv1.Step{{Actor: 1<<63 - 1, Seq: 129, Commands: pbs}, {}}}
	var b []byte
	for _, s := range []*wire.Step{step, empty} {
		var err error
		if b, err = wire.AppendStep(b, s); err != nil {
			t.Fatal(err)
		}
	}
	got := new(pluginv1.LinkResponse)
	if err := proto.Unmarshal(b, got); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", protojson.Format(got), protojson.Format(want))
	}
	i := 0
	err := wire.Steps(marshal(t, want), new(wire.Step), func(s *wire.Step) error {
		defer func() { i++ }()
		return sameStep(s, []*wire.Step{step, empty}[i])
	})
	if err != nil || i != 2 {
		t.Errorf("%d steps, %v", i, err)
	}
}

func sameStep(got, want *wire.Step) error {
	if got.Actor != want.Actor || got.Seq != want.Seq || len(got.Commands) != len(want.Commands) {
		return fmt.Errorf("got %+v, want %+v", got, want)
	}
	for i := range got.Commands {
		a, b := got.Commands[i], want.Commands[i]
		same := bytes.Equal(a.Data, b.Data) && sameMessage(a.Cold, b.Cold)
		a.Data, b.Data, a.Cold, b.Cold = nil, nil, nil, nil
		if !same || fmt.Sprint(a) != fmt.Sprint(b) {
			return fmt.Errorf("command %d: got %+v, want %+v", i, got.Commands[i], want.Commands[i])
		}
	}
	return nil
}

func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	b := []byte("before")
	got, err := wire.AppendStep(b, &wire.Step{Actor: 1, Seq: 1, Commands: []wire.Command{
		{Kind: wire.Send, Data: []byte("x")},
		{Kind: wire.Call, Cold: &pluginv1.Call{Tag: "\xff"}},
	}})
	if err == nil || string(got) != "before" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := wire.AppendEvent(nil, &wire.Event{Kind: wire.Answer, Cold: &pluginv1.Answer{Tag: "\xff"}}); err == nil {
		t.Error("an event with such text was encoded")
	}
}

// field is a field with bytes.
func field(num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), v)
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	junk := bytes.Join([][]byte{
		field(100, []byte("x")),
		protowire.AppendVarint(protowire.AppendTag(nil, 101, protowire.VarintType), 5),
		protowire.AppendFixed32(protowire.AppendTag(nil, 102, protowire.Fixed32Type), 5),
		protowire.AppendFixed64(protowire.AppendTag(nil, 103, protowire.Fixed64Type), 5),
		protowire.AppendTag(protowire.AppendTag(nil, 104, protowire.StartGroupType), 104, protowire.EndGroupType),
	}, nil)
	frame := field(6, append(append([]byte(nil), junk...), field(1, []byte("data"))...))
	ev := append(append([]byte(nil), junk...), frame...)
	batch := append(append([]byte(nil), junk...), field(1, append(ev, junk...))...)
	batch = append(batch, field(1, field(1000, []byte("a later kind")))...)
	var kinds []wire.Kind
	err := wire.Events(batch, func(e *wire.Event) error {
		kinds = append(kinds, e.Kind)
		if e.Kind == wire.Frame && string(e.Data) != "data" {
			t.Errorf("data is %q", e.Data)
		}
		return nil
	})
	if err != nil || !slices.Equal(kinds, []wire.Kind{6, 0}) {
		t.Errorf("kinds %v, %v", kinds, err)
	}
	send := field(3, append(append([]byte(nil), junk...), field(2, append(field(1, []byte("data")), junk...))...))
	batch = field(1, append(append(append([]byte(nil), junk...), send...), field(3, field(1000, nil))...))
	err = wire.Steps(batch, new(wire.Step), func(s *wire.Step) error {
		if len(s.Commands) != 2 || string(s.Commands[0].Data) != "data" || s.Commands[1].Kind != 0 {
			t.Errorf("got %+v", s)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWalksStopAtErrors(t *testing.T) {
	stop := errors.New("stop")
	b := marshal(t, &pluginv1.LinkRequest{Events: []*pluginv1.Event{{Actor: 1}, {Actor: 2}}})
	n := 0
	if err := wire.Events(b, func(*wire.Event) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
	for _, bad := range []string{"\xff", "\x0a\x05a", "\x0a\x02\x32\x05", "\x0a\x02\x3a\x05", "\x0a\x04\x3a\x02\x0a\x05"} {
		if err := wire.Events([]byte(bad), func(*wire.Event) error { return nil }); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	for _, bad := range []string{"\xff", "\x0a\x05a", "\x0a\x02\x1a\x05", "\x0a\x04\x1a\x02\x12\x05"} {
		if err := wire.Steps([]byte(bad), new(wire.Step), func(*wire.Step) error { return nil }); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestCodec(t *testing.T) {
	var c wire.Codec
	data, err := c.Marshal(&wire.Batch{B: append(wire.NewBuffer(), "bytes"...)})
	if err != nil {
		t.Fatal(err)
	}
	var got wire.Batch
	if err := c.Unmarshal(data, &got); err != nil || string(got.B) != "bytes" {
		t.Errorf("got %q, %v", got.B, err)
	}
	if _, err := c.Marshal(&got); err == nil {
		t.Error("a received batch was sent")
	}
	got.Free()
	got.Free() // no harm
	data.Free()
	if got.B != nil {
		t.Error("a freed batch has bytes")
	}
	req := &pluginv1.DescribeRequest{CoreVersion: "1", Contract: 1}
	if data, err = c.Marshal(req); err != nil {
		t.Fatal(err)
	}
	back := new(pluginv1.DescribeRequest)
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data.Materialize())}, back); err != nil || !proto.Equal(req, back) {
		t.Errorf("got %v, %v", back, err)
	}
}
