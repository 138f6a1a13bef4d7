package pluginhost

import (
	"context"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Launcher starts instances of one plugin.
type Launcher interface {
	// Launch starts an instance and returns when it can be asked. ctx bounds the start, not the life.
	Launch(ctx context.Context) (Process, error)
}

// Process is a running instance. Describe, Configure and OpenLink are called once, in this order.
type Process interface {
	Describe(ctx context.Context, req *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error)
	Configure(ctx context.Context, req *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error)
	OpenLink() (Link, error)
	// Pid is the process id, 0 for an instance inside this process.
	Pid() int
	// Kill ends it at once. It may be called at any time and more than once.
	Kill()
	// Stop asks it to end; Kill may follow.
	Stop()
	// Exited is closed when the process is gone and reaped.
	Exited() <-chan struct{}
	// Exit says how it ended; it is called after Exited is closed.
	Exit() Exit
}

// Link is the stream of batches to and from an instance. Send and Recv may be called at the same
// time, each by one goroutine.
type Link interface {
	// Send takes over the batch's bytes.
	Send(b *wire.Batch) error
	// Recv fills the batch, which the caller frees. After the end of the process it still returns
	// what the process had sent, then an error.
	Recv(b *wire.Batch) error
	// Abort makes Send and Recv fail.
	Abort()
}

// Exit is how a process ended.
type Exit struct {
	// Killed says that it was ended from outside (SIGKILL, SIGTERM) rather than by itself.
	Killed bool
	// Text says it for people, as "exit status 2".
	Text string
}
