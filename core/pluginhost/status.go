package pluginhost

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// Status is what an operator sees of a plugin.
type Status struct {
	Name     string // the block's label
	Pid      int    // of the serving instance; 0: none
	State    string // "running", "restarting", "failing" or "starting"
	Restarts uint64 // after deaths
	Culprits uint64 // events that ended the plugin each time, whose sessions were closed
	Sessions int    // actors: sessions and named ones
	Links    int    // open links
	Error    string // the last fault; empty: none
	Mend     string // what to do about it
}

// Status says how the plugin is.
func (p *Plugin) Status() Status {
	st := Status{
		Name: p.cfg.Label, Restarts: p.restarts.Load(), Culprits: p.culprits.Load(),
		Sessions: p.actors.len() - 1, // the hub's
	}
	cur := p.current.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	st.Links = len(p.instances)
	switch {
	case cur != nil:
		st.State, st.Pid = "running", cur.process.Pid()
	case p.failing:
		st.State = "failing"
	case p.desc != nil:
		st.State = "restarting"
	default:
		st.State = "starting"
	}
	if p.fault != nil {
		st.Error, st.Mend = p.fault.Err.Error(), p.fault.Mend
	}
	return st
}

func mendStart(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, ErrConfig):
		return "mend the values named above in bridge.hcl"
	case noFolder(err):
		return "a plugin has its socket in a folder below TMPDIR: let there be one, with room, that this user may write to"
	case errors.Is(err, os.ErrNotExist):
		return "check the path in the plugin's command"
	case errors.Is(err, os.ErrPermission):
		return "make the file in the plugin's command executable"
	case strings.Contains(text, "checksum of"):
		return "put the program that was meant in its place, or the sum of this one into the plugin's sha256"
	case strings.Contains(text, "Failed to read any lines") && strings.Contains(text, "the process ended"):
		return "the plugin ended before its handshake: its own log lines above say why, unless the program in its command is no plugin"
	case strings.Contains(text, "timeout while waiting"), strings.Contains(text, "Failed to read any lines"):
		return "the program in the plugin's command must begin with the handshake of a plugin, as sdk.Main does"
	case strings.Contains(text, "nrecognized remote plugin message"):
		return "a plugin prints nothing to stdout before its handshake; log to stderr"
	case strings.Contains(text, "describe:"):
		return "the plugin must answer Describe without having been configured; its log says why it did not"
	case strings.Contains(text, "cannot read state"):
		return "release a version that reads the old state (reads_state), or restart bridge to drop what sessions have"
	}
	return "see the plugin's own log lines above"
}

// noFolder says whether the folder of a plugin's own could not be made.
func noFolder(err error) bool {
	e, ok := errors.AsType[*fs.PathError](err)
	return ok && (e.Op == "stat" || e.Op == "mkdir") && strings.HasPrefix(e.Path, os.TempDir())
}
