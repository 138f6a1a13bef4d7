// Package wire is the hot half of the plugin contract: the batches of a Link, encoded and decoded
// by hand in the protobuf form of bridge/plugin/v1, without a copy and without an allocation for
// the kinds that come once a frame. Any protobuf library in any language reads and writes the same
// bytes; what is rare is left to the generated code (Event.Cold, Command.Cold).
//
// The path of an event: [AppendEvent] into a [Batch], sent by gRPC with [Codec], received as a
// Batch, walked with [Events]. Steps go the other way with [AppendStep] and [Steps].
package wire

import (
	"errors"
	"fmt"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// MaxBatch is how many bytes a batch may have before it is cut; one event or step may be larger.
const MaxBatch = 1 << 20

// MaxMessage is the largest gRPC message that either side accepts: a batch that was not cut because
// its only element is large.
const MaxMessage = 80 << 20

// ErrMalformed is wrapped by all errors about bytes that are not a valid batch.
var ErrMalformed = errors.New("malformed batch")

// Kind is the kind of an event or a command: its field number in the contract's oneof.
type Kind uint8

// Kinds of events.
const (
	Frame    Kind = 6
	Answer   Kind = 7
	Timer    Kind = 8
	Closed   Kind = 9
	Opened   Kind = 10
	Resumed  Kind = 11
	Forget   Kind = 12
	Message  Kind = 13
	Request  Kind = 14
	Eof      Kind = 15
	Bound    Kind = 16
	Delivery Kind = 17
	Told     Kind = 18

	ContextChanged Kind = 20

	lastEvent = ContextChanged
)

// Kinds of commands.
const (
	Send        Kind = 2
	PutState    Kind = 3
	Call        Kind = 4
	SetTimer    Kind = 5
	Close       Kind = 6
	DeleteState Kind = 7
	Join        Kind = 8
	Leave       Kind = 9
	Publish     Kind = 10
	Encode      Kind = 11
	Respond     Kind = 12
	Bind        Kind = 13
	PutContext  Kind = 14
	Cancel      Kind = 15
	Claim       Kind = 16
	Release     Kind = 17
	Tune        Kind = 18
	Framing     Kind = 19
	Push        Kind = 20
	Consume     Kind = 21
	Detach      Kind = 22
	Tell        Kind = 23
	Pause       Kind = 24

	lastCommand = Pause
)

// Event is an event in memory. After decoding, Data and Name point into the batch and are valid
// until it is freed.
type Event struct {
	Actor, Seq, Session uint64
	Time                int64
	Redelivered         bool
	Kind                Kind

	Binary bool   // Frame
	Data   []byte // Frame, Told
	Name   string // Timer

	// Cold is the generated message of every other kind, as *pluginv1.Answer; nil for Forget and
	// Eof. It owns its bytes.
	Cold proto.Message
}

// Step is a step in memory.
type Step struct {
	Actor, Seq uint64
	Commands   []Command
}

// Command is a command in memory. After decoding, Key and Data point into the batch and are valid
// until it is freed.
type Command struct {
	Session uint64
	Kind    Kind

	Binary bool   // Send
	Late   bool   // Send
	Data   []byte // Send, Tell; PutState, PutContext: the value
	// Key is the key of PutState, DeleteState, PutContext, Bind and Tell, the channel of Join and Leave,
	// the name of SetTimer and Release, the tag of Cancel and Detach, the reason of Close,
	// Send.watermark_key.
	Key string
	// Number is Send.settles, SetTimer.after_ms, Close.code.
	Number int64
	Mark   uint64 // Send.watermark_number

	// Cold is the generated message of every other kind, as *pluginv1.Call. It owns its bytes.
	Cold proto.Message
}

func newColdEvent(k Kind) proto.Message {
	switch k {
	case Answer:
		return new(pluginv1.Answer)
	case Closed:
		return new(pluginv1.Closed)
	case Opened:
		return new(pluginv1.Opened)
	case Resumed:
		return new(pluginv1.Resumed)
	case Message:
		return new(pluginv1.Message)
	case Request:
		return new(pluginv1.Request)
	case Bound:
		return new(pluginv1.Bound)
	case Delivery:
		return new(pluginv1.Delivery)
	case ContextChanged:
		return new(pluginv1.ContextChanged)
	}
	return nil
}

func newColdCommand(k Kind) proto.Message {
	switch k {
	case Call:
		return new(pluginv1.Call)
	case Publish:
		return new(pluginv1.Publish)
	case Encode:
		return new(pluginv1.Encode)
	case Respond:
		return new(pluginv1.Respond)
	case Claim:
		return new(pluginv1.Claim)
	case Tune:
		return new(pluginv1.Tune)
	case Framing:
		return new(pluginv1.Framing)
	case Pause:
		return new(pluginv1.Pause)
	case Push:
		return new(pluginv1.Push)
	case Consume:
		return new(pluginv1.Consume)
	}
	return nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// alias is a string over b's bytes, without a copy.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func sizeTag(field protowire.Number) int {
	if field < 16 {
		return 1
	}
	return protowire.SizeTag(field)
}

func appendTag(b []byte, field protowire.Number, typ protowire.Type) []byte {
	if field < 16 {
		return append(b, byte(field)<<3|byte(typ))
	}
	return protowire.AppendTag(b, field, typ)
}

func sizeVarint(field protowire.Number, v uint64) int {
	if v == 0 {
		return 0
	}
	return sizeTag(field) + protowire.SizeVarint(v)
}

func sizeBytes(field protowire.Number, n int) int {
	if n == 0 {
		return 0
	}
	return sizeTag(field) + protowire.SizeBytes(n)
}

func sizeBool(field protowire.Number, v bool) int {
	if !v {
		return 0
	}
	return sizeTag(field) + 1
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(appendTag(b, field, protowire.VarintType), v)
}

func appendBytes[T []byte | string](b []byte, field protowire.Number, v T) []byte {
	if len(v) == 0 {
		return b
	}
	b = protowire.AppendVarint(appendTag(b, field, protowire.BytesType), uint64(len(v)))
	return append(b, v...)
}

func appendBool(b []byte, field protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return append(appendTag(b, field, protowire.VarintType), 1)
}

func appendHeader(b []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(appendTag(b, field, protowire.BytesType), uint64(size))
}

// value is one field of a message: a number for varints, bytes for everything with a length.
type value struct {
	num   protowire.Number
	typ   protowire.Type
	n     uint64
	bytes []byte
}

// next cuts one field off b and returns the rest. Fields of other wire types have no value.
func (v *value) next(b []byte) (rest []byte, err error) {
	// All tags that come once a frame are one byte, and so are most lengths and numbers.
	n := 1
	if len(b) > 0 && b[0] >= 1<<3 && b[0] < 0x80 {
		v.num, v.typ = protowire.Number(b[0]>>3), protowire.Type(b[0]&7)
	} else if v.num, v.typ, n = protowire.ConsumeTag(b); n < 0 {
		return nil, malformed("tag")
	}
	b = b[n:]
	switch v.typ {
	case protowire.VarintType:
		v.n, n = varint(b)
		if n < 0 {
			return nil, malformed("field value")
		}
		return b[n:], nil
	case protowire.BytesType:
		size, n := varint(b)
		if n < 0 || size > uint64(len(b)-n) {
			return nil, malformed("field value")
		}
		end := n + int(size)
		v.bytes = b[n:end:end]
		return b[end:], nil
	}
	if n = protowire.ConsumeFieldValue(v.num, v.typ, b); n < 0 {
		return nil, malformed("field value")
	}
	return b[n:], nil
}

func varint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}
