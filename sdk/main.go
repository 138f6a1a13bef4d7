package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/protocol-bridge/bridge/internal/footprint"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/handshake"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Main serves a plugin as the process that the core started, and ends the process. It is all that a
// plugin's main does.
func Main[S any](p Plugin[S]) {
	os.Exit(Run(p)) //nolint:forbidigo // this is the plugin's main
}

// Run is [Main] for a program that has other commands too: it returns the exit status. When the core
// is gone it does not return but ends the process.
func Run[S any](p Plugin[S]) int {
	stderr := os.Stderr // go-plugin puts another in its place
	if os.Getenv(handshake.CookieKey) != handshake.CookieValue {
		fmt.Fprintf(stderr, "This is a plugin of Bridge: name its command in a `plugin` block of bridge.hcl, and bridge starts it.\n")
		return 1
	}
	footprint.Plugin()
	log := newLogger(stderr)
	s, err := NewServer(p, WithLogger(log))
	if err != nil {
		log.Error("plugin cannot be served", "err", err)
		return 1
	}
	pr := &process{log: log}
	s.linkOpened, s.linkEnded = pr.linkOpened, pr.linkEnded
	pr.followLifeline()
	pr.ignoreSignals()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  handshake.ProtocolVersion,
			MagicCookieKey:   handshake.CookieKey,
			MagicCookieValue: handshake.CookieValue,
		},
		Plugins:    plugin.PluginSet{handshake.Plugin: &goPlugin{server: s}},
		GRPCServer: newGRPCServer,
		Logger:     hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: stderr, JSONFormat: true}),
	})
	pr.cleanUp()
	return 0
}

// newGRPCServer is the server that links need: batches pass as they are, and large ones too.
func newGRPCServer(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts, GRPCOptions()...)...)
}

// GRPCOptions are the options that a gRPC server of a [Server] must have.
func GRPCOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(wire.Codec{}),
		grpc.MaxRecvMsgSize(wire.MaxMessage),
		grpc.MaxSendMsgSize(wire.MaxMessage),
		grpc.InitialWindowSize(handshake.WindowBytes),
		grpc.InitialConnWindowSize(handshake.WindowBytes),
		grpc.ReadBufferSize(128 << 10),
		grpc.WriteBufferSize(128 << 10),
	}
}

// goPlugin is the service as go-plugin serves it.
type goPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *Server
}

func (g *goPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pluginv1.RegisterPluginServiceServer(s, g.server)
	return nil
}

func (*goPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin is no client")
}

// process is the life of an instance: it ends with the core.
type process struct {
	log    *slog.Logger
	linked atomic.Bool
}

func (p *process) linkOpened() { p.linked.Store(true) }

// lastWords is how long the core has to read what was sent before an orderly end of the link.
const lastWords = 100 * time.Millisecond

func (p *process) linkEnded(clean bool) {
	if !clean {
		p.exit()
	}
	time.AfterFunc(lastWords, p.exit)
}

// exit ends the process at once, whatever its handlers are at.
func (p *process) exit() {
	p.cleanUp()
	os.Exit(0) //nolint:forbidigo // the core is gone, so there is nobody to return to
}

// cleanUp removes the folder of the socket.
func (p *process) cleanUp() {
	if dir := os.Getenv(handshake.SocketDir); dir != "" {
		if err := os.RemoveAll(dir); err != nil { //nolint:gosec // the core named the folder
			p.log.Warn("socket folder is left behind", "err", err)
		}
	}
}

// ignoreSignals leaves it to the core when the instance ends: a terminal and a service manager
// signal the whole group, and the core still needs its plugins to drain. Before there is a link,
// SIGTERM ends the process. SIGHUP is what the kernel sends, before it continues them, to processes
// that are stopped when their core dies, and SIGPIPE is what a log line gets that nobody reads any
// more: such a process is to see the end of its lifeline, and clean up.
func (p *process) ignoreSignals() {
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGPIPE)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		for range term {
			if !p.linked.Load() {
				p.exit()
			}
		}
	}()
}
