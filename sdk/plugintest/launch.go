package plugintest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/handshake"
	"github.com/protocol-bridge/bridge/proto/wire"
	"github.com/protocol-bridge/bridge/sdk"
)

// childEnv tells the test binary to be the plugin.
const childEnv = "BRIDGE_PLUGINTEST_CHILD"

var canBeChild bool

// Main is a package's TestMain: it runs the tests, which must leave no goroutine behind, or, in the
// child process that a test starts, the plugin: run is what the plugin's main calls, [sdk.Run].
//
//	func TestMain(m *testing.M) {
//		plugintest.Main(m, func() int { return sdk.Run(New()) })
//	}
func Main(m *testing.M, run func() int) {
	if os.Getenv(childEnv) != "" {
		os.Exit(run())
	}
	canBeChild = true
	goleak.VerifyTestMain(m)
}

// InMemory launches instances of a plugin inside this process, without gRPC.
func InMemory[S any, P sdk.Plugin[S]](newPlugin func() P, log *slog.Logger) pluginhost.Launcher {
	return launcher(func(context.Context) (pluginhost.Process, error) {
		s, err := sdk.NewServer[S](newPlugin(), sdk.WithLogger(log))
		if err != nil {
			return nil, err
		}
		return &memory{server: s, life: newLife()}, nil
	})
}

// OverGRPC launches instances of a plugin inside this process that are spoken to over gRPC.
func OverGRPC[S any, P sdk.Plugin[S]](newPlugin func() P, log *slog.Logger) pluginhost.Launcher {
	return launcher(func(context.Context) (pluginhost.Process, error) {
		s, err := sdk.NewServer[S](newPlugin(), sdk.WithLogger(log))
		if err != nil {
			return nil, err
		}
		lis := bufconn.Listen(1 << 20)
		server := grpc.NewServer(sdk.GRPCOptions()...)
		pluginv1.RegisterPluginServiceServer(server, s)
		cc, err := grpc.NewClient("passthrough:plugin",
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}),
				grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
			grpc.WithInitialWindowSize(handshake.WindowBytes), grpc.WithInitialConnWindowSize(handshake.WindowBytes))
		if err != nil {
			return nil, err
		}
		p := &overGRPC{Conn: pluginhost.GRPC(cc), server: server, cc: cc, life: newLife()}
		go func() {
			_ = server.Serve(lis) // until Stop
			close(p.exited)
			_ = cc.Close()
		}()
		return p, nil
	})
}

// Child launches instances as child processes: this test binary again, whose TestMain must be [Main].
func Child(log *slog.Logger) pluginhost.Launcher {
	return &pluginhost.Exec{Command: []string{os.Args[0]}, Logger: log, Env: map[string]string{
		childEnv: "1",
		"GORACE": "atexit_sleep_ms=0", // the race detector's second of sleep at each end
	}}
}

type launcher func(context.Context) (pluginhost.Process, error)

// Launch implements pluginhost.Launcher.
func (f launcher) Launch(ctx context.Context) (pluginhost.Process, error) { return f(ctx) }

// life is when an instance inside this process ended.
type life struct {
	once   sync.Once
	exited chan struct{}
}

func newLife() *life { return &life{exited: make(chan struct{})} }

func (l *life) Pid() int                { return 0 }
func (l *life) Exited() <-chan struct{} { return l.exited }
func (l *life) Exit() pluginhost.Exit {
	return pluginhost.Exit{Killed: true, Text: "ended inside the test"}
}

// memory is an instance behind a pipe.
type memory struct {
	*life
	server *sdk.Server
	mu     sync.Mutex
	link   *end
}

func (m *memory) Describe(ctx context.Context, req *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return m.server.Describe(ctx, req)
}

func (m *memory) Configure(ctx context.Context, req *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	return m.server.Configure(ctx, req)
}

func (m *memory) OpenLink() (pluginhost.Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.exited:
		return nil, pluginhost.ErrPluginGone
	default:
	}
	p := newPipe()
	m.link = p.host()
	go func() {
		_ = m.server.Serve(context.Background(), p.plugin())
		m.link.in.close(io.EOF, false)
		m.once.Do(func() { close(m.exited) })
	}()
	return m.link, nil
}

// Kill ends the instance; what it had sent is still received.
func (m *memory) Kill() { m.stop(errors.New("killed")) }

// Stop lets it handle what it has.
func (m *memory) Stop() { m.stop(io.EOF) }

func (m *memory) stop(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.link == nil {
		m.once.Do(func() { close(m.exited) })
		return
	}
	m.link.out.close(err, !errors.Is(err, io.EOF))
	if !errors.Is(err, io.EOF) {
		m.link.in.close(io.EOF, false)
	}
}

// overGRPC is an instance behind a connection in memory.
type overGRPC struct {
	*pluginhost.Conn
	*life
	server *grpc.Server
	cc     *grpc.ClientConn
}

func (p *overGRPC) Kill() { p.once.Do(p.server.Stop) }
func (p *overGRPC) Stop() { p.Kill() }
