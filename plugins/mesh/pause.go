package mesh

import (
	"slices"
	"strconv"

	"github.com/protocol-bridge/bridge/sdk"
)

// What is held of an end user, at most.
const (
	maxHeld      = 64
	maxHeldBytes = stateBytes / 2
)

const pauseTimer = "pause"

var (
	closeHeld = sdk.CloseCode{Code: 1013, Reason: "too many frames before authorization"}
	closeLate = sdk.CloseCode{Code: 1008, Reason: "authorization timeout"}
)

// pause has what follows wait, where the frame says so and the context does not have the key yet.
func (p *Plugin) pause(s *session, payload *payload) error {
	c := configOf(s)
	if !c.PauseWhen.Given() || s.Context(c.PauseUntil) != nil {
		return nil
	}
	text, _, err := c.PauseWhen.Text(payload.scope(s, c.PauseWhen))
	switch {
	case err != nil:
		return closed(s, err)
	case text != "true":
		return nil
	}
	s.State.Paused = true
	s.Timer(pauseTimer, c.PauseTimeout)
	return nil
}

// hold keeps a frame of one who waits.
func (p *Plugin) hold(s *session, f *sdk.Frame) {
	st := &s.State
	if st.Held == maxHeld || int(st.HeldBytes)+len(f.Data) > maxHeldBytes {
		s.Close(closeHeld)
		return
	}
	kind := byte('t')
	if f.Binary {
		kind = 'b'
	}
	s.Put(heldCell(st.First+st.Held), append([]byte{kind}, f.Data...))
	st.Held++
	st.HeldBytes += uint32(len(f.Data))
}

func heldCell(n uint32) string { return "held." + strconv.FormatUint(uint64(n), 10) }

// release lets go on what waits for one of the keys, up to a frame behind which it is to wait again.
func (p *Plugin) release(s *session, keys []string) error {
	st := &s.State
	if !st.Paused || !slices.Contains(keys, configOf(s).PauseUntil) {
		return nil
	}
	st.Paused = false
	s.StopTimer(pauseTimer)
	for st.Held > 0 && !st.Paused {
		cell := heldCell(st.First)
		held := s.Get(cell)
		s.Delete(cell)
		st.First++
		st.Held--
		if len(held) == 0 { // never: each has its kind
			continue
		}
		f := sdk.Frame{Data: held[1:], Binary: held[0] == 'b'}
		st.HeldBytes -= uint32(len(f.Data))
		if err := p.queue(s, &f); err != nil {
			return err
		}
	}
	return nil
}

// late closes an end user for whom nobody set the key in time.
func (p *Plugin) late(s *session) {
	if s.State.Paused {
		s.Close(closeLate)
	}
}
