package pluginhost

import (
	"context"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// pluginLog gives what a plugin writes to stderr, and what go-plugin has to say, to slog. go-plugin
// parses a plugin's JSON lines and calls it with their level.
type pluginLog struct {
	log  *slog.Logger
	name string
	args []any
}

func newPluginLog(l *slog.Logger) hclog.Logger { return &pluginLog{log: l} }

func (l *pluginLog) Log(level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case hclog.Info:
		to = slog.LevelInfo
	case hclog.Warn:
		to = slog.LevelWarn
	case hclog.Error:
		to = slog.LevelError
	}
	// go-plugin's own life-cycle lines double those of the supervisor.
	if l.name == "" {
		to = slog.LevelDebug
	}
	//nolint:sloglint // the text is the plugin's
	l.log.Log(context.Background(), to, msg, append(args, l.args...)...)
}

func (l *pluginLog) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }
func (l *pluginLog) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l *pluginLog) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l *pluginLog) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l *pluginLog) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

// The rest of hclog.Logger.

func (l *pluginLog) IsTrace() bool { return false }

func (l *pluginLog) IsDebug() bool { return l.log.Enabled(context.Background(), slog.LevelDebug) }

func (l *pluginLog) IsInfo() bool { return l.log.Enabled(context.Background(), slog.LevelInfo) }

func (l *pluginLog) IsWarn() bool { return l.log.Enabled(context.Background(), slog.LevelWarn) }

func (l *pluginLog) IsError() bool      { return l.log.Enabled(context.Background(), slog.LevelError) }
func (l *pluginLog) ImpliedArgs() []any { return l.args }
func (l *pluginLog) Name() string       { return l.name }

func (l *pluginLog) With(args ...any) hclog.Logger {
	return &pluginLog{l.log, l.name, append(append([]any(nil), l.args...), args...)}
}

func (l *pluginLog) Named(name string) hclog.Logger { return &pluginLog{l.log, name, l.args} }

func (l *pluginLog) ResetNamed(name string) hclog.Logger { return l.Named(name) }
func (l *pluginLog) SetLevel(hclog.Level)                {}
func (l *pluginLog) GetLevel() hclog.Level               { return hclog.Debug }

func (l *pluginLog) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return log.New(io.Discard, "", 0)
}

func (l *pluginLog) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return io.Discard }
