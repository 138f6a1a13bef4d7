package core

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/core/admin"
)

// startControl takes data_dir and serves the control socket in it, before anything else is begun:
// whoever starts slowly can be asked how it is.
func (b *bridge) startControl() error {
	var err error
	if b.data, err = holdDataDir(b.cfg.DataDir); err != nil {
		return err
	}
	if !b.data.before.IsZero() {
		b.engine.ids.Pass(b.data.before.UnixMilli())
	}
	b.behind.Go(b.markIDs)
	cfg := b.adminConfig()
	cfg.Socket = SocketPath(b.cfg.DataDir)
	cfg.Control.SetLogLevel, cfg.Control.Reload = b.setLogLevel, b.askReload
	if b.clustered { // else the node is to be stopped before
		cfg.Control.ExportQueues, cfg.Control.ImportQueues = b.queues.export, b.queues.load
	}
	control := admin.New(cfg)
	if err := control.Listen(); err != nil {
		return err
	}
	b.control = control
	go b.serve("control", control.Serve)
	return nil
}

// markIDs notes until the end how new ids are.
func (b *bridge) markIDs() {
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		b.data.mark(b.newestIDs())
		select {
		case <-tick.C:
		case <-b.stopping:
			return
		}
	}
}

func (b *bridge) newestIDs() int64 { return max(b.engine.ids.Newest(), time.Now().UnixMilli()) }

func (b *bridge) stopControl() {
	if b.control != nil {
		b.control.Close() // and the socket with it, before others may make theirs
	}
	if b.data != nil {
		b.data.mark(b.newestIDs() - markSlack.Milliseconds()) // nothing will be newer
		b.data.release()
	}
}

// adminConfig is what the admin address and the control socket have in common.
func (b *bridge) adminConfig() admin.Config {
	return admin.Config{
		Logger: b.log, Plugins: b.pluginStatus, Ready: b.ready, Metrics: b.registry,
		Control: admin.Control{
			Status: b.status, Sessions: b.engine.Sessions, Session: b.engine.Session, Close: b.engine.CloseThose,
			Publish: b.engine.PublishAs, LogSession: b.engine.LogSession, LogLevel: b.logLevel,
		},
	}
}

func (b *bridge) status() admin.Status {
	st := admin.Status{
		Version: b.opt.Version, PID: os.Getpid(), Started: b.started, Reasons: b.ready(), Sessions: b.engine.sessions(),
		Plugins: b.pluginStatus(),
	}
	if n := b.engine.nodes(); n != nil {
		st.Nodes = n.status(hostName(), b.opt.Version)
	}
	st.Ready = len(st.Reasons) == 0
	return st
}

func (b *bridge) logLevel() string {
	level := slog.LevelInfo
	if b.opt.Level != nil {
		level = b.opt.Level.Level()
	}
	return strings.ToLower(level.String())
}

func (b *bridge) setLogLevel(name string) error {
	level, err := ParseLevel(name)
	if err != nil {
		return err
	}
	if b.opt.Level == nil {
		return errors.New("the level of this log is fixed")
	}
	old := b.opt.Level.Level()
	b.opt.Level.Set(level)
	b.log.Warn("log level changed", "from", strings.ToLower(old.String()), "to", name)
	return nil
}

// ParseLevel returns the level that is called debug, info, warn or error.
func ParseLevel(name string) (slog.Level, error) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.ToLower(level.String()) == name {
			return level, nil
		}
	}
	return 0, fmt.Errorf("a log level is debug, info, warn or error, not %q", name)
}
