package actor

import "time"

// Clock is the time that timers run on. Tests have one of their own.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in a goroutine of its own after d.
	AfterFunc(d time.Duration, f func()) Stopper
}

// Stopper stops what AfterFunc started; false means it ran or runs.
type Stopper interface{ Stop() bool }

// SystemClock is the system's.
type SystemClock struct{}

// Now is time.Now.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func (SystemClock) AfterFunc(d time.Duration, f func()) Stopper { return time.AfterFunc(d, f) }

// Timers are an actor's timers by name. The zero value has none.
type Timers struct {
	timers []timer
	armed  uint64
}

type timer struct {
	name    string
	armed   uint64
	stopper Stopper
}

// Set arms the timer of that name, or moves it. fire is called with the number of this arming, which
// [Timers.Fired] takes.
func (t *Timers) Set(clock Clock, name string, after time.Duration, fire func(name string, armed uint64)) {
	t.armed++
	armed := t.armed
	for i := range t.timers {
		if x := &t.timers[i]; x.name == name {
			x.stopper.Stop()
			name = x.name
			x.armed = armed
			x.stopper = clock.AfterFunc(after, func() { fire(name, armed) })
			return
		}
	}
	name = string([]byte(name))
	t.timers = append(t.timers, timer{name, armed, clock.AfterFunc(after, func() { fire(name, armed) })})
}

// Stop stops the timer of that name, if there is one.
func (t *Timers) Stop(name string) {
	for i := range t.timers {
		if t.timers[i].name == name {
			t.timers[i].stopper.Stop()
			t.remove(i)
			return
		}
	}
}

// Fired says whether that arming of the timer is still the valid one, and forgets the timer if so.
func (t *Timers) Fired(name string, armed uint64) bool {
	for i := range t.timers {
		if t.timers[i].name == name {
			if t.timers[i].armed != armed {
				return false
			}
			t.remove(i)
			return true
		}
	}
	return false
}

func (t *Timers) remove(i int) {
	last := len(t.timers) - 1
	t.timers[i] = t.timers[last]
	t.timers[last] = timer{}
	if t.timers = t.timers[:last]; last == 0 {
		t.timers = nil // most actors have one at their beginning, and never again
	}
}

// StopAll stops all timers.
func (t *Timers) StopAll() {
	for i := range t.timers {
		t.timers[i].stopper.Stop()
	}
	t.timers = nil
}

// Len is how many timers run or fired without having been handled.
func (t *Timers) Len() int { return len(t.timers) }
