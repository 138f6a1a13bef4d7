package wire

import (
	"bytes"
	"errors"
	"slices"
	"sync"

	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Batch is an encoded LinkRequest or LinkResponse.
//
// To send one, fill B and hand it to SendMsg, which takes B over. To receive one, hand an empty
// Batch to RecvMsg, walk B, then call Free; nothing may point into B after that.
type Batch struct {
	B   []byte
	buf mem.Buffer
}

// Free gives the bytes of a received batch back.
func (b *Batch) Free() {
	if b.buf != nil {
		b.buf.Free()
	}
	b.B, b.buf = nil, nil
}

// buffers larger than this are left to the garbage collector, so that one large frame does not stay.
const keepBuffer = 2 * MaxBatch

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// NewBuffer returns an empty buffer for Batch.B.
func NewBuffer() []byte {
	return (*buffers.Get().(*[]byte))[:0]
}

// bufferPool is buffers as gRPC sees them. gRPC's own pool clears what it gives out, all of it.
type bufferPool struct{}

func (bufferPool) Get(n int) *[]byte {
	b := buffers.Get().(*[]byte)
	*b = slices.Grow(*b, n)[:n]
	return b
}

func (bufferPool) Put(b *[]byte) {
	if cap(*b) <= keepBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// Codec is the gRPC codec of a Link and of the calls beside it: batches pass as they are, any other
// message is protobuf. Force it on both sides; its content subtype is protobuf's.
type Codec struct{}

var _ encoding.CodecV2 = Codec{}

// Name is protobuf's, since the bytes are.
func (Codec) Name() string { return grpcproto.Name }

// Marshal takes over a Batch's bytes and encodes anything else as protobuf.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*Batch)
	if !ok {
		return encoding.GetCodecV2(grpcproto.Name).Marshal(v)
	}
	if b.buf != nil {
		return nil, errors.New("wire: a received batch is not to be sent")
	}
	data := b.B
	b.B = nil
	if mem.IsBelowBufferPoolingThreshold(len(data)) {
		// gRPC does not give back what is so small, and the buffer may be a large one.
		small := mem.SliceBuffer(bytes.Clone(data))
		bufferPool{}.Put(&data)
		return mem.BufferSlice{small}, nil
	}
	return mem.BufferSlice{mem.NewBuffer(&data, bufferPool{})}, nil
}

// Unmarshal keeps a Batch's bytes as they came and decodes anything else as protobuf.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*Batch)
	if !ok {
		return encoding.GetCodecV2(grpcproto.Name).Unmarshal(data, v)
	}
	b.Free()
	b.buf = data.MaterializeToBuffer(bufferPool{})
	b.B = b.buf.ReadOnlyData()
	return nil
}
