package sdk

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/protocol-bridge/bridge/proto/wire"
)

// stateCell is the cell that holds a Session's State.
const stateCell = "$"

// stateCodec encodes a plugin's state. It is shared by all its actors.
type stateCodec[S any] struct {
	none  bool // S holds nothing
	flat  bool // == says whether it changed
	reads StateReader[S]
	own   uint32 // the version written
}

func newStateCodec[S any](p Plugin[S], version uint32) *stateCodec[S] {
	t := reflect.TypeFor[S]()
	c := &stateCodec[S]{none: t.Size() == 0, flat: flat(t), own: version}
	c.reads, _ = p.(StateReader[S])
	return c
}

// flat says whether two values of the type are equal exactly if == says so.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !flat(f.Type) {
				return false
			}
		}
		return true
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128: // NaN differs from itself
		return false
	case reflect.String, reflect.Bool:
		return true
	}
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr
}

func (c *stateCodec[S]) append(dst []byte, state *S) ([]byte, error) {
	switch s := any(state).(type) {
	case encoding.BinaryAppender:
		return s.AppendBinary(dst)
	case encoding.BinaryMarshaler:
		b, err := s.MarshalBinary()
		return append(dst, b...), err
	}
	b, err := json.Marshal(state)
	return append(dst, b...), err
}

func (c *stateCodec[S]) decode(data []byte, state *S) error {
	if u, ok := any(state).(encoding.BinaryUnmarshaler); ok {
		return u.UnmarshalBinary(data)
	}
	return json.Unmarshal(data, state)
}

func (s *Session[S]) load(version uint32) error {
	var zero S
	s.State, s.saved, s.stale, s.a.own = zero, nil, false, 0
	data, ok := s.a.cells[stateCell]
	if s.codec.none || !ok {
		return nil
	}
	s.stale = version != 0 && version != s.codec.own
	var err error
	if s.codec.reads != nil && s.stale {
		err = s.codec.reads.ReadState(version, data, &s.State)
	} else {
		err = s.codec.decode(data, &s.State)
	}
	if err != nil {
		s.State = zero
		return fmt.Errorf("decode state of version %d: %w", version, err)
	}
	if !s.codec.flat {
		s.saved = data
	}
	delete(s.a.cells, stateCell)
	s.a.own = len(stateCell) + len(data)
	return nil
}

func (s *Session[S]) step(t *turn, p *peer, ev Event) error {
	s.p = p
	if s.codec.flat && !s.codec.none {
		s.before = s.State
	}
	if err := s.plugin.Step(s, ev); err != nil {
		return err
	}
	switch {
	case s.codec.none:
		return nil
	case s.codec.flat:
		if !s.stale && any(s.before) == any(s.State) {
			return nil
		}
	}
	from := len(t.arena)
	var err error
	if t.arena, err = s.codec.append(t.arena, &s.State); err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	data := t.arena[from:]
	if !s.codec.flat {
		if !s.stale && bytes.Equal(data, s.saved) {
			return nil
		}
		if t.state = data; data == nil {
			t.state = []byte{} // nothing, and not unchanged
		}
	}
	own := len(stateCell) + len(data)
	if len(data) > 0 {
		t.put(wire.Command{Kind: wire.PutState, Key: stateCell, Data: data})
	} else if own = 0; s.a.own > 0 {
		t.put(wire.Command{Kind: wire.DeleteState, Key: stateCell})
	}
	s.a.size += own - s.a.own
	s.a.own = own
	return nil
}

// commit notes that the step was acked.
func (s *Session[S]) commit(t *turn) {
	s.stale = false
	if t.state != nil {
		s.saved = append(s.saved[:0], t.state...)
	}
}

func (s *Session[S]) undo() {
	if s.codec.none {
		return
	}
	if s.codec.flat {
		s.State = s.before
		return
	}
	var old S
	if len(s.saved) > 0 && s.codec.decode(s.saved, &old) != nil {
		return
	}
	s.State = old
}
