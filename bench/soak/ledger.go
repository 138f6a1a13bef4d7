//go:build linux

package soak

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// ledger knows of each question whether the back-end was asked it and whether its client was answered,
// and what went wrong otherwise. Questions are numbered from 0.
type ledger struct {
	mu              sync.Mutex // guards what follows
	next            uint64
	asked, answered bitset
	faults          []string
	faulty          int
}

// bitset is a set of numbers, one bit each.
type bitset []uint64

func (b *bitset) add(n uint64) (isNew bool) {
	for uint64(len(*b)) <= n/64 {
		*b = append(*b, 0)
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	isNew = *word&bit == 0
	*word |= bit
	return isNew
}

func (b bitset) has(n uint64) bool { return n/64 < uint64(len(b)) && b[n/64]>>(n%64)&1 == 1 }

func (b bitset) size() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// mostFaults is how many are told; all are counted.
const mostFaults = 20

func (l *ledger) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faultLocked(format, args...)
}

func (l *ledger) faultLocked(format string, args ...any) {
	if l.faulty++; l.faulty <= mostFaults {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// question numbers a question.
func (l *ledger) question() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return l.next - 1
}

func (l *ledger) noteAsked(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case n >= l.next:
		l.faultLocked("the back-end was asked question %d, which nobody has", n)
	case !l.asked.add(n):
		l.faultLocked("the back-end was asked question %d twice", n)
	}
}

func (l *ledger) noteAnswered(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.asked.has(n):
		l.faultLocked("question %d was answered, and the back-end was not asked", n)
	case !l.answered.add(n):
		l.faultLocked("question %d was answered twice", n)
	}
}

// failed says whether there is a fault.
func (l *ledger) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faulty > 0
}

// shared is what bridge and back-end have in common.
const shared = "what-a-soak-has-no-need-to-hide"

// ServeHTTP is a Logux back-end that answers each action with its own payload, one in eight a little
// later.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // a client that left, whose question was called back
	}
	id, payload := between(body, `"meta":{"id":"`, `"`), between(body, `"payload":`, `},"meta"`)
	n, err := strconv.ParseUint(string(between(payload, `"n":`, `}`)), 10, 64)
	if err != nil {
		l.fault("the back-end was asked %.300s", body)
		http.Error(w, "no question", http.StatusBadRequest)
		return
	}
	l.noteAsked(n)
	const late = 20 * time.Millisecond
	if n%8 == 0 {
		time.Sleep(late)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `[{"answer":"approved","id":"%s"},{"answer":"action","id":"%s","action":{"type":"soak/said","payload":%s},"meta":{}},{"answer":"processed","id":"%s"}]`,
		id, id, payload, id)
}

func between(b []byte, before, after string) []byte {
	_, b, _ = bytes.Cut(b, []byte(before))
	b, _, _ = bytes.Cut(b, []byte(after))
	return b
}
