package listen

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// leastDeflated is from how many bytes on a message is compressed; below, little is saved.
const leastDeflated = 512

// deflater compresses; it holds most of a MiB, so there are as many as goroutines that compress.
type deflater struct {
	out    bytes.Buffer
	writer *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.writer, _ = flate.NewWriter(&d.out, flate.BestSpeed) // fails for a level that is none
	return d
}}

func (d *deflater) free() {
	if d.out.Cap() > keepMessage {
		d.out = bytes.Buffer{}
	}
	deflaters.Put(d)
}

// deflate returns the payload of a message, valid until d is used again; nil where that would not be
// shorter.
func (d *deflater) deflate(data []byte) []byte {
	d.out.Reset()
	d.writer.Reset(&d.out)
	_, _ = d.writer.Write(data) // a Buffer takes everything
	_ = d.writer.Flush()
	const left = 4 // the end of each flush, which is left out
	if packed := d.out.Bytes(); len(packed)-left < len(data) {
		return packed[:len(packed)-left]
	}
	return nil
}

// packer compresses the messages of a server. One that goes to many is compressed for the first two of
// them: the second time it is remembered. It is found by its content, since whoever publishes uses
// its buffers again. What is remembered is at most packs times twice keepMessage. It is safe for
// concurrent use.
type packer struct {
	seed  maphash.Seed
	slots [packs]struct {
		seen atomic.Uint64 // the hash of the last message
		kept atomic.Pointer[pack]
	}
}

// packs is how many messages are remembered: publishes run at the same time.
const packs = 16

// pack is a message that was sent before. It does not change.
type pack struct{ data, packed []byte }

// appendFrame appends a whole message, compressed where that is shorter. op is its first byte.
func (k *packer) appendFrame(dst, data []byte, op byte) []byte {
	hash := maphash.Bytes(k.seed, data)
	slot := &k.slots[hash%packs]
	if p := slot.kept.Load(); p != nil && bytes.Equal(p.data, data) {
		return appendShorter(dst, p.packed, data, op)
	}
	d := deflaters.Get().(*deflater)
	defer d.free()
	packed := d.deflate(data)
	if slot.seen.Swap(hash) == hash && len(data) <= keepMessage {
		slot.kept.Store(&pack{bytes.Clone(data), bytes.Clone(packed)})
	}
	return appendShorter(dst, packed, data, op)
}

// appendShorter appends a frame of packed, or of data where that is nil.
func appendShorter(dst, packed, data []byte, op byte) []byte {
	if packed == nil {
		return append(appendHead(dst, op, len(data)), data...)
	}
	return append(appendHead(dst, op|compressed, len(packed)), packed...)
}

// appendHead appends what stands in front of a server's payload of n bytes.
func appendHead(dst []byte, op byte, n int) []byte {
	switch {
	case n < short:
		return append(dst, op, byte(n))
	case n <= 0xffff:
		return append(dst, op, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, op, 127), uint64(n))
}
