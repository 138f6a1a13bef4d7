package main

import (
	"bytes"
	"context"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// garbage is no protobuf: a field that announces more than there is.
var garbage = []byte("\x0a\xff\xff\xff\x7fno protobuf at all")

// raw is a message whose bytes are sent as they are.
type raw []byte

// codec is protobuf's, but for raw.
type codec struct{}

// Name implements encoding.CodecV2.
func (codec) Name() string { return grpcproto.Name }

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(raw); ok {
		return mem.BufferSlice{mem.SliceBuffer(r)}, nil
	}
	if d, ok := v.(*pluginv1.DescribeResponse); ok && d.GetName() == "garbage" {
		return mem.BufferSlice{mem.SliceBuffer(garbage)}, nil
	}
	return encoding.GetCodecV2(grpcproto.Name).Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	return encoding.GetCodecV2(grpcproto.Name).Unmarshal(data, v)
}

// service acks everything, until a frame comes: then it does what it is there for.
type service struct {
	pluginv1.UnimplementedPluginServiceServer
	how string
}

// Describe implements the contract.
func (s *service) Describe(ctx context.Context, _ *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	d := &pluginv1.DescribeResponse{Name: "bad", Version: "0.0.0", Contract: 1, StateVersion: 1}
	switch s.how {
	case "describe-dies":
		os.Exit(4)
	case "describe-garbage":
		d.Name = "garbage"
	case "describe-hangs":
		<-ctx.Done()
	}
	return d, nil
}

// Configure implements the contract.
func (s *service) Configure(context.Context, *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	return &pluginv1.ConfigureResponse{}, nil
}

// Link implements the contract, in its way.
func (s *service) Link(stream grpc.BidiStreamingServer[pluginv1.LinkRequest, pluginv1.LinkResponse]) error {
	l := &link{how: s.how, stream: stream}
	for {
		batch, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, e := range batch.GetEvents() {
			if done, err := l.event(e); done || err != nil {
				return err
			}
		}
	}
}

type link struct {
	how    string
	stream grpc.BidiStreamingServer[pluginv1.LinkRequest, pluginv1.LinkResponse]

	opened []uint64        // sessions
	before *pluginv1.Event // a frame that was not acked
	silent bool            // nothing is acked any more
}

// event handles one event; done says that the link is to end in order.
func (l *link) event(e *pluginv1.Event) (done bool, err error) {
	switch {
	case e.GetSeq() == 0 || l.silent:
		return false, nil
	case l.how == "foreign-session" && l.before != nil && e.GetActor() == l.before.GetActor():
		return false, nil // its session may end before there is another; acked now, that would be in disorder
	case e.GetFrame() != nil:
		return l.frame(e)
	case e.GetOpened() != nil:
		l.opened = append(l.opened, e.GetActor())
		if before := l.before; before != nil && l.how == "foreign-session" {
			l.before = nil
			if done, err := l.frame(before); done || err != nil {
				return done, err
			}
		}
	}
	return false, l.ack(e)
}

// ack acks an event with commands.
func (l *link) ack(e *pluginv1.Event, commands ...*pluginv1.Command) error {
	return l.stream.Send(&pluginv1.LinkResponse{Steps: []*pluginv1.Step{step(e, commands...)}})
}

func step(e *pluginv1.Event, commands ...*pluginv1.Command) *pluginv1.Step {
	return &pluginv1.Step{Actor: e.GetActor(), Seq: e.GetSeq(), Commands: commands}
}

// frame breaks the contract.
func (l *link) frame(e *pluginv1.Event) (done bool, err error) {
	switch l.how {
	case "foreign-actor":
		return false, l.ack(&pluginv1.Event{Actor: nobody, Seq: e.GetSeq()})
	case "foreign-session":
		for _, other := range l.opened {
			if other != e.GetActor() {
				return false, l.ack(e, &pluginv1.Command{Session: other, Kind: send([]byte("from another's step"))})
			}
		}
		l.before = e // until there is another
		return false, nil
	case "unknown-command":
		command := &pluginv1.Command{}
		command.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "new"))
		return false, l.ack(e, command)
	case "acks-twice":
		return false, l.stream.Send(&pluginv1.LinkResponse{Steps: []*pluginv1.Step{step(e), step(e)}})
	case "acks-in-disorder":
		if l.before == nil {
			l.before = e
			return false, nil
		}
		return false, l.ack(e)
	case "never-acks":
		l.silent = true
		return false, nil
	case "large-batch":
		return false, l.ack(e, &pluginv1.Command{Kind: send(bytes.Repeat([]byte("x"), wire.MaxMessage))})
	case "large-state":
		cell := &pluginv1.PutState{Key: "all", Value: make([]byte, 300<<10)}
		return false, l.ack(e, &pluginv1.Command{Kind: &pluginv1.Command_PutState{PutState: cell}})
	case "garbage":
		return false, l.stream.SendMsg(raw(garbage))
	case "ends-link":
		return true, nil
	case "noisy":
		noise := bytes.Repeat([]byte("noise "), noiseBytes/6)
		for _, w := range []*os.File{os.Stdout, os.Stderr} {
			if _, err := w.Write(noise); err != nil {
				return false, err
			}
		}
		return false, l.ack(e, &pluginv1.Command{Kind: send([]byte("done"))})
	}
	return false, l.ack(e)
}

// nobody is no actor's number: those of sessions have the time in them.
const nobody = 1

// noiseBytes is what a noisy plugin writes at a frame, without an end of line.
const noiseBytes = 1 << 20

func send(data []byte) *pluginv1.Command_Send {
	return &pluginv1.Command_Send{Send: &pluginv1.Send{Data: data}}
}
