package pluginhost

import "time"

// standby keeps an instance ready that takes over when the serving one ends, where the settings want one.
// It is the supervisor's alone.
type standby struct {
	plugin *Plugin
	ready  *Instance
	coming chan *Instance // has the one that is being started, nil if that failed; nil: none is
	stale  bool           // the one that is being started is of settings that hold no more
	wait   *time.Timer    // until one is started; nil: none is to be
}

// standbyAfter is how long an instance serves before another is started beside it. What follows a death is
// work for all processors there are, and a process that starts would take one of them.
const standbyAfter = 250 * time.Millisecond

// arm sees that there will be one, after a while.
func (s *standby) arm(after time.Duration) {
	if s.wait != nil || s.ready != nil || s.coming != nil || !s.plugin.settings.Load().Standby {
		return
	}
	s.wait = time.NewTimer(after)
}

// due is signalled when start is to be called.
func (s *standby) due() <-chan time.Time {
	if s.wait == nil {
		return nil
	}
	return s.wait.C
}

func (s *standby) start() {
	s.wait = nil
	coming := make(chan *Instance, 1)
	s.coming, s.stale = coming, false
	s.plugin.wg.Go(func() {
		in, err := s.plugin.launch(roleMain)
		if err != nil && s.plugin.ctx.Err() == nil {
			s.plugin.log.Warn("standby instance cannot be started", "err", err)
		}
		coming <- in
	})
}

// arrived takes what came from coming.
func (s *standby) arrived(in *Instance) {
	s.coming = nil
	switch {
	case in == nil:
		s.arm(maxBackoff)
	case s.stale:
		s.plugin.stopInstance(in)
		s.arm(0)
	default:
		s.ready = in
	}
}

// gone is closed when the one that is ready has ended.
func (s *standby) gone() <-chan struct{} {
	if s.ready == nil {
		return nil
	}
	return s.ready.done
}

// lost is called when it has.
func (s *standby) lost() {
	s.ready = nil
	s.arm(standbyAfter)
}

// take returns the one that is ready, or will be soon; nil when there is none.
func (s *standby) take() *Instance {
	s.cancel()
	if s.coming != nil {
		s.arrived(<-s.coming)
		s.cancel()
	}
	in := s.ready
	s.ready = nil
	return in
}

// replace has another follow: what is ready or coming is of old settings, or of an old binary.
func (s *standby) replace() {
	s.cancel()
	s.stale = true
	if s.ready != nil {
		s.plugin.stopInstance(s.ready)
		s.ready = nil
	}
	s.arm(standbyAfter)
}

func (s *standby) cancel() {
	if s.wait != nil {
		s.wait.Stop()
		s.wait = nil
	}
}

// end ends what there is.
func (s *standby) end() {
	if in := s.take(); in != nil {
		s.plugin.stopInstance(in)
	}
}
