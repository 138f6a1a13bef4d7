package pluginhost

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Errors of a link.
var (
	// ErrPluginGone is returned for everything asked of a process that has ended.
	ErrPluginGone = errors.New("plugin process has ended")
	// ErrLinkEnded is returned when a process that lives has ended the link.
	ErrLinkEnded = errors.New("plugin ended its link")
	// ErrTooLarge is returned when the plugin sent more at a time than is taken.
	ErrTooLarge = errors.New("plugin sent too large a message")
)

// Conn is the contract over a gRPC connection: Process without the process.
type Conn struct {
	client pluginv1.PluginServiceClient
	cc     grpc.ClientConnInterface
}

// GRPC speaks the contract over a connection whose codec is [wire.Codec].
func GRPC(cc grpc.ClientConnInterface) *Conn {
	return &Conn{client: pluginv1.NewPluginServiceClient(cc), cc: cc}
}

// Describe asks the plugin what it is.
func (c *Conn) Describe(ctx context.Context, req *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	resp, err := c.client.Describe(ctx, req)
	return resp, gone(err)
}

// Configure hands over the configuration.
func (c *Conn) Configure(ctx context.Context, req *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	resp, err := c.client.Configure(ctx, req)
	return resp, gone(err)
}

// OpenLink opens the stream of batches.
func (c *Conn) OpenLink() (Link, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := c.cc.NewStream(ctx, &pluginv1.PluginService_ServiceDesc.Streams[0], pluginv1.PluginService_Link_FullMethodName,
		grpc.ForceCodecV2(wire.Codec{}), grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage))
	if err != nil {
		cancel()
		return nil, gone(err)
	}
	return &grpcLink{stream: stream, cancel: cancel}, nil
}

type grpcLink struct {
	stream grpc.ClientStream
	cancel context.CancelFunc
}

func (l *grpcLink) Send(b *wire.Batch) error { return gone(l.stream.SendMsg(b)) }
func (l *grpcLink) Abort()                   { l.cancel() }

func (l *grpcLink) Recv(b *wire.Batch) error {
	err := l.stream.RecvMsg(b)
	if errors.Is(err, io.EOF) {
		return ErrLinkEnded
	}
	return gone(err)
}

// gone makes one error of all ways in which a dead process shows itself; the only place that reads
// gRPC's codes.
func gone(err error) error {
	if err == nil {
		return nil
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.Aborted:
		return errors.Join(ErrPluginGone, err)
	case codes.ResourceExhausted:
		return errors.Join(ErrTooLarge, err)
	}
	return err
}
