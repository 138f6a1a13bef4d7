package hub

import (
	"crypto/rand"
	"strconv"
	"sync"

	"github.com/protocol-bridge/bridge/core/session"
)

// Variant is a frame for receivers of one kind, with places that differ from receiver to receiver.
type Variant struct {
	Name   string // as in session.Tuning.Variant; empty: for receivers of no other variant
	Data   []byte
	Binary bool
	Slots  []Slot // in rising order of At, none beyond the end of Data
}

// Slot is a place in a variant where bytes are inserted.
type Slot struct {
	At       int
	RandomID int   // length of a fresh random id; 0: the number instead
	Number   int64 // less the receiver's variable Minus
	Minus    string
}

func pick(variants []Variant, t *session.Tuning) *Variant {
	var fallback *Variant
	for i := range variants {
		v := &variants[i]
		if v.Name == "" {
			fallback = v
			continue
		}
		if t != nil && t.Variant == v.Name {
			return v
		}
	}
	return fallback
}

// renderer fills slots, in one buffer that is used again from receiver to receiver.
type renderer struct {
	buf    []byte
	random []byte // those of chunk that are not used yet
	chunk  [randomChunk]byte
}

var renderers = sync.Pool{New: func() any { return new(renderer) }}

// Random bytes are drawn for many ids at a time.
const randomChunk = 512

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

func (r *renderer) render(v *Variant, t *session.Tuning) []byte {
	if len(v.Slots) == 0 {
		return v.Data
	}
	r.buf = r.buf[:0]
	from := 0
	for _, slot := range v.Slots {
		r.buf = append(r.buf, v.Data[from:slot.At]...)
		from = slot.At
		if slot.RandomID > 0 {
			r.appendID(slot.RandomID)
			continue
		}
		n := slot.Number
		if t != nil {
			n -= t.Variables[slot.Minus]
		}
		r.buf = strconv.AppendInt(r.buf, n, 10)
	}
	r.buf = append(r.buf, v.Data[from:]...)
	return r.buf
}

func (r *renderer) appendID(n int) {
	for range n {
		if len(r.random) == 0 {
			r.random = r.chunk[:]
			_, _ = rand.Read(r.random) // never fails
		}
		r.buf = append(r.buf, alphabet[r.random[0]&63])
		r.random = r.random[1:]
	}
}
