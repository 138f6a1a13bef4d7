package hub

import (
	"crypto/rand"
	"strconv"

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
	random []byte // unused random bytes
}

// Random bytes are drawn for many ids at a time.
const randomChunk = 1024

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

func (r *renderer) render(v *Variant, t *session.Tuning) []byte {
	if len(v.Slots) == 0 {
		return v.Data
	}
	b, from := r.buf[:0], 0
	for _, slot := range v.Slots {
		b = append(b, v.Data[from:slot.At]...)
		from = slot.At
		if slot.RandomID > 0 {
			b = r.appendID(b, slot.RandomID)
			continue
		}
		n := slot.Number
		if t != nil {
			n -= t.Variables[slot.Minus]
		}
		b = strconv.AppendInt(b, n, 10)
	}
	r.buf = append(b, v.Data[from:]...)
	return r.buf
}

func (r *renderer) appendID(b []byte, n int) []byte {
	for range n {
		if len(r.random) == 0 {
			r.random = make([]byte, randomChunk)
			_, _ = rand.Read(r.random) // never fails
		}
		b = append(b, alphabet[r.random[0]&63])
		r.random = r.random[1:]
	}
	return b
}
