package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/actor"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Start starts the first instance and from then on keeps one. It returns how the first attempt
// ended; unless the error is ErrConfig, more follow.
func (p *Plugin) Start(ctx context.Context) error {
	first := make(chan error, 1)
	p.wg.Go(func() { p.supervise(first) })
	p.wg.Go(p.watch)
	select {
	case err := <-first:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Delays between attempts to start, and between deaths before a first ack.
const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = 5 * time.Second
	// soon is how long an instance must have lived for its death not to count as one at the start.
	soon = 2 * time.Second
)

func (p *Plugin) supervise(first chan<- error) {
	backoff := time.Duration(0)
	report := func(err error) {
		if first != nil {
			first <- err
			first = nil
		}
	}
	next := standby{plugin: p}
	for p.ctx.Err() == nil {
		var handed handover
		if backoff > 0 {
			handed = p.await(backoff)
		}
		in := handed.instance
		if in == nil {
			in = next.take()
		}
		if in == nil && p.ctx.Err() == nil {
			var err error
			if in, err = p.launch(roleMain); err != nil {
				p.failed(err)
				report(err)
				if errors.Is(err, ErrConfig) {
					break
				}
				backoff = min(max(backoff*2, minBackoff), maxBackoff)
				continue
			}
		}
		if in == nil {
			break
		}
		started := time.Now()
		p.install(in)
		if handed.done != nil {
			close(handed.done)
			next.replace()
		}
		report(nil)
		if in = p.attend(in, &next); in == nil {
			break
		}
		if in.acked.Load() == 0 && time.Since(started) < soon {
			backoff = min(max(backoff*2, minBackoff), maxBackoff)
		} else {
			backoff = 0
		}
	}
	next.end()
	report(ErrStopped)
}

// await lets time pass until the next attempt, or until somebody hands an instance over.
func (p *Plugin) await(d time.Duration) handover {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case h := <-p.swap:
		return h
	case <-t.C:
	case <-p.ctx.Done():
	}
	return handover{}
}

// attend waits for the serving instance to die, following replacements; it returns the one that
// died, nil when the plugin is stopped.
func (p *Plugin) attend(in *Instance, next *standby) *Instance {
	next.arm(standbyAfter)
	for {
		select {
		case <-p.ctx.Done():
			p.stopInstance(in)
			return nil
		case swap := <-p.swap:
			old := in
			in = swap.instance
			p.install(in)
			close(swap.done)
			next.replace()
			p.wg.Go(func() { p.retire(old) })
		case <-next.due():
			next.start()
		case ready := <-next.coming:
			next.arrived(ready)
		case <-next.gone():
			next.lost()
		case <-in.process.Exited():
			p.retired(in)
			if p.ctx.Err() != nil {
				<-in.done
				return nil
			}
			p.restarts.Add(1)
			p.log.Warn("plugin ended, it is started again", "instance", in.number, "pid", in.process.Pid(),
				"how", in.process.Exit().Text, "hung", in.hung.Load())
			return in
		}
	}
}

// retire ends an instance once its last event is acked, or does not come to be.
func (p *Plugin) retire(in *Instance) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for in.inflight.Load() > 0 {
		select {
		case <-tick.C:
		case <-in.done:
			return
		case <-p.ctx.Done():
		}
		if p.ctx.Err() != nil {
			break
		}
	}
	p.stopInstance(in)
}

// Prepared is an instance with new settings that does not serve yet. Either Commit or Abandon is to
// be called.
type Prepared struct {
	plugin   *Plugin
	settings *Settings
	instance *Instance
}

// Prepare starts an instance with new settings beside the serving one, which notices nothing. It
// blocks until the instance is linked. Its errors are those of a start; one about values of the
// configuration wraps [ErrConfig].
func (p *Plugin) Prepare(s Settings) (*Prepared, error) {
	settings := s.withDefaults()
	in, err := p.launchWith(settings, roleMain)
	if err != nil {
		return nil, err
	}
	return &Prepared{p, settings, in}, nil
}

// Commit hands over to the prepared instance: actors move when none of their events is in flight. It
// blocks until new events go there.
func (r *Prepared) Commit() error {
	r.plugin.settings.Store(r.settings)
	h := handover{r.instance, make(chan struct{})}
	select {
	case r.plugin.swap <- h:
		<-h.done
		return nil
	case <-r.plugin.ctx.Done():
		r.Abandon()
		return ErrStopped
	}
}

// handover asks the supervisor to have an instance serve; done is closed when it does.
type handover struct {
	instance *Instance
	done     chan struct{}
}

// Abandon ends the prepared instance.
func (r *Prepared) Abandon() { r.plugin.stopInstance(r.instance) }

// Replace starts a new instance with the same settings and hands over to it. On an error the old one
// never noticed.
func (p *Plugin) Replace() error {
	r, err := p.Prepare(*p.settings.Load())
	if err != nil {
		return err
	}
	return r.Commit()
}

// launch starts an instance up to an open link.
func (p *Plugin) launch(role instanceRole) (*Instance, error) {
	return p.launchWith(p.settings.Load(), role)
}

func (p *Plugin) launchWith(settings *Settings, role instanceRole) (*Instance, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.StartTimeout)
	defer cancel()
	proc, err := settings.Launcher.Launch(ctx)
	if err != nil {
		return nil, fmt.Errorf("start plugin %q: %w", p.cfg.Label, err)
	}
	in, err := p.link(ctx, settings, proc, role)
	if err != nil {
		proc.Kill()
		<-proc.Exited()
		return nil, fmt.Errorf("start plugin %q: %w", p.cfg.Label, err)
	}
	return in, nil
}

func (p *Plugin) link(ctx context.Context, settings *Settings, proc Process, role instanceRole) (*Instance, error) {
	desc, err := proc.Describe(ctx, &pluginv1.DescribeRequest{CoreVersion: p.cfg.CoreVersion, Contract: Contract})
	if err != nil {
		return nil, fmt.Errorf("describe: %w", died(proc, err))
	}
	if err := p.describe(desc); err != nil {
		return nil, err
	}
	req, err := settings.Configure(desc)
	if err != nil {
		return nil, errors.Join(ErrConfig, err)
	}
	req = proto.CloneOf(req)
	req.Node = uint32(p.cfg.Node)
	req.Capabilities = []string{"tcp", "detach", "tell", "pause", "flush", "order", "nodes"}
	if p.cfg.Queues != nil {
		req.Capabilities = append(req.GetCapabilities(), "queue")
	}
	resp, err := proc.Configure(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("configure: %w", died(proc, err))
	}
	if complaints := resp.GetComplaints(); len(complaints) > 0 {
		return nil, errors.Join(ErrConfig, settings.complain(complaints))
	}
	queues, err := p.openQueues(ctx, resp.GetQueues())
	if err != nil {
		return nil, err
	}
	l, err := proc.OpenLink()
	if err != nil {
		return nil, fmt.Errorf("link: %w", died(proc, err))
	}
	in := newInstance(p, proc, l, int(p.number.Add(1)), role)
	in.desc, in.queues, in.said = desc, queues, resp
	in.stateVersion = desc.GetStateVersion()
	p.mu.Lock()
	p.instances[in] = true
	p.mu.Unlock()
	p.wg.Go(func() {
		in.run()
		p.mu.Lock()
		delete(p.instances, in)
		p.mu.Unlock()
	})
	p.log.Info("plugin linked", "instance", in.number, "pid", proc.Pid(), "name", desc.GetName(), "version", desc.GetVersion())
	return in, nil
}

// Contract is the revision of the contract that this core speaks.
const Contract = 1

// State an actor may have, in bytes.
const (
	defaultMaxState = 256 << 10
	largestMaxState = 4 << 20
)

func (s *Settings) complain(list []*pluginv1.Complaint) error {
	if s.Complain != nil {
		return s.Complain(list)
	}
	var errs []error
	for _, c := range list {
		errs = append(errs, fmt.Errorf("%s %s: %s", c.GetRoute(), c.GetAttribute(), c.GetText()))
	}
	return errors.Join(errs...)
}

// died adds how the process ended to an error that its end explains.
func died(proc Process, err error) error {
	select {
	case <-proc.Exited():
		return fmt.Errorf("%w (the process ended: %s)", err, proc.Exit().Text)
	case <-time.After(50 * time.Millisecond):
		return err
	}
}

// launchUntil launches until it succeeds; nil when the plugin is stopped.
func (p *Plugin) launchUntil(role instanceRole) *Instance {
	for backoff := minBackoff; p.ctx.Err() == nil; backoff = min(backoff*2, maxBackoff) {
		in, err := p.launch(role)
		if err == nil {
			return in
		}
		p.failed(err)
		if !p.pause(backoff) {
			break
		}
	}
	return nil
}

func (p *Plugin) failed(err error) {
	if p.ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	p.failing = p.current.Load() == nil
	p.fault = &Fault{Err: err, Mend: mendStart(err), Time: p.cfg.Clock.Now()}
	mend := p.fault.Mend
	p.mu.Unlock()
	p.log.Error("plugin cannot be started", "err", err, "mend", mend)
}

func (p *Plugin) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// ticksPerTimeout is how often within the event timeout the watch looks: an event is overdue by at
// most that part of it when it is found.
const ticksPerTimeout = 8

// watch ends instances that hang.
func (p *Plugin) watch() {
	timeout := p.settings.Load().EventTimeout
	tick := time.NewTicker(max(timeout/ticksPerTimeout, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		if t := p.settings.Load().EventTimeout; t != timeout {
			timeout = t
			tick.Reset(max(timeout/ticksPerTimeout, time.Millisecond))
		}
		now := p.tick.Add(1)
		for _, in := range p.live() {
			if in.role == roleMain && in.sweep(now, ticksPerTimeout) && !in.hung.Swap(true) {
				p.hangs(in, timeout)
			}
		}
	}
}

func (p *Plugin) hangs(in *Instance, timeout time.Duration) {
	const mend = "what takes time is a call, not a handler's; if a handler must take so long, raise event_timeout in the plugin's block"
	p.setFault(&Fault{fmt.Errorf("plugin hangs: an event was not acked within %v", timeout), mend, p.cfg.Clock.Now()})
	p.log.Warn("plugin hangs, it is replaced", "instance", in.number, "pid", in.process.Pid(), "event_timeout", timeout, "mend", mend)
	in.process.Kill()
}

func (p *Plugin) live() []*Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*Instance, 0, len(p.instances))
	for in := range p.instances {
		list = append(list, in)
	}
	return list
}

// stopGrace is how long an instance may take to end when asked to.
const stopGrace = 2 * time.Second

// stopInstance asks the instance to end, ends it if it does not, and waits for it.
func (p *Plugin) stopInstance(in *Instance) {
	in.stopping.Store(true)
	in.process.Stop()
	t := time.NewTimer(stopGrace)
	defer t.Stop()
	select {
	case <-in.done:
	case <-t.C:
		in.process.Kill()
		<-in.done
	}
}

// Stop ends all instances and calls. Sessions are to be closed before.
func (p *Plugin) Stop() {
	p.cancel()
	for _, in := range p.live() {
		p.wg.Go(func() { p.stopInstance(in) })
	}
	p.wg.Wait()
	p.dropAll()
	p.calls.end()
	p.calls.all.Wait()
}

// dropAll lets go of all actors, so that calls blocked on answers nobody takes end.
func (p *Plugin) dropAll() {
	p.actors.each(func(a *Actor) {
		a.mu.Lock()
		a.box.Rewind(func(*actor.Event) {})
		a.removeLocked()
		a.mu.Unlock()
	})
}
