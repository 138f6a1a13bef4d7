package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/handshake"
	"github.com/protocol-bridge/bridge/proto/wire"
	"github.com/protocol-bridge/bridge/sdk/spec"
)

// Server is the plugin's half of the contract: what [Main] serves in a process of its own, and tests
// in memory. It implements the gRPC service; the gRPC server must force [wire.Codec].
type Server struct {
	pluginv1.UnimplementedPluginServiceServer

	info     Info
	describe *pluginv1.DescribeResponse
	log      *slog.Logger
	routes   map[string]*Route

	// The plugin without its type.
	newSession  func(a *actor) stepper
	configure   func(Setup) error
	closePlugin func() error
	maxState    int
	can         map[string]bool                   // the core's capabilities
	encode      func(Message) ([]OutFrame, error) // nil: Message events go to Step
	rejection   func(text string) OutFrame

	linkOpened func()           // told when a Link begins
	linkEnded  func(clean bool) // likewise when it is over
}

// Stream carries batches. Send takes over the batch's bytes; Recv fills a batch that the caller
// frees, and returns io.EOF after an orderly end. One goroutine sends while another receives.
type Stream interface {
	Send(b *wire.Batch) error
	Recv(b *wire.Batch) error
}

// Option changes a Server.
type Option func(*Server)

// WithLogger sets where the server and the plugin's sessions log; nowhere by default.
func WithLogger(log *slog.Logger) Option { return func(s *Server) { s.log = log } }

// NewServer returns the server of a plugin. An error is a mistake in what Describe returns.
func NewServer[S any](p Plugin[S], options ...Option) (*Server, error) {
	s := &Server{
		info:        p.Describe(),
		log:         slog.New(slog.DiscardHandler),
		routes:      make(map[string]*Route),
		configure:   func(Setup) error { return nil },
		closePlugin: func() error { return nil },
		can:         make(map[string]bool),
		rejection:   func(text string) OutFrame { return OutFrame{Data: []byte(text)} },

		linkOpened: func() {},
		linkEnded:  func(bool) {},
	}
	for _, o := range options {
		o(s)
	}
	if s.info.StateVersion == 0 && reflect.TypeFor[S]().Size() > 0 {
		s.info.StateVersion = 1
	}
	s.maxState = min(max(s.info.Limits.StateBytes, 0), largestState)
	if s.maxState == 0 {
		s.maxState = defaultState
	}
	codec := newStateCodec(p, s.info.StateVersion)
	s.newSession = func(a *actor) stepper {
		return &Session[S]{Conn: Conn{a: a}, codec: codec, plugin: p}
	}
	if c, ok := p.(Configurer); ok {
		s.configure = c.Configure
	}
	if c, ok := p.(Closer); ok {
		s.closePlugin = c.Close
	}
	switch e := p.(type) {
	case Encoder:
		s.encode = func(m Message) ([]OutFrame, error) {
			f, err := e.Encode(m)
			return []OutFrame{f}, err
		}
	case VariantEncoder:
		s.encode = e.EncodeVariants
	}
	if r, ok := p.(Rejecter); ok {
		s.rejection = r.Rejection
	}
	var err error
	if s.describe, err = s.describeResponse(); err != nil {
		return nil, fmt.Errorf("describe plugin %q: %w", s.info.Name, err)
	}
	return s, nil
}

// Bytes of state an actor may have.
const (
	defaultState = 256 << 10
	largestState = 4 << 20
)

func (s *Server) describeResponse() (*pluginv1.DescribeResponse, error) {
	i := &s.info
	config, err := spec.Fields(i.Config)
	if err != nil {
		return nil, err
	}
	routeConfig, err := spec.Fields(i.RouteConfig)
	if err != nil {
		return nil, err
	}
	d := &pluginv1.DescribeResponse{
		Name:          i.Name,
		Version:       i.Version,
		Contract:      handshake.Contract,
		Owns:          i.Owns,
		Reserved:      i.Reserved,
		StateVersion:  i.StateVersion,
		ReadsState:    i.ReadsState,
		MaxStateBytes: uint32(i.Limits.StateBytes),
		Config:        config,
		RouteConfig:   routeConfig,
		Encodes:       i.Encodes || s.encode != nil,
		WindowEvents:  uint32(i.Limits.WindowEvents),
		WindowBytes:   uint32(i.Limits.WindowBytes),
		MaxFrameBytes: uint32(i.Limits.FrameBytes),

		MaxBinaryBytes: uint32(i.Limits.BinaryBytes),
		RateFrames:     uint32(i.Limits.Rate.Frames),
		RateMs:         uint32(i.Limits.Rate.Per / time.Millisecond),
	}
	for _, r := range i.Roles {
		role := &pluginv1.Role{Name: r.Name, Doc: r.Doc, Auth: pluginv1.Auth(max(r.Auth, AuthInBand)), MaxBodyBytes: uint32(r.BodyBytes)}
		role.Refusal, role.Unavailable, role.Open = r.Refusal, r.Unavailable, r.Open
		for _, t := range r.Transports {
			role.Transports = append(role.Transports, pluginv1.Transport(t))
		}
		d.Roles = append(d.Roles, role)
	}
	return d, nil
}

// Describe implements the contract.
func (s *Server) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return s.describe, nil
}

// Configure implements the contract: it fills the configuration structs and tells the plugin.
func (s *Server) Configure(_ context.Context, req *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	setup := Setup{
		Label: req.GetLabel(), Node: int(req.GetNode()), DataDir: req.GetDataDir(), Log: s.log, Capabilities: req.GetCapabilities(),
	}
	for _, c := range setup.Capabilities {
		s.can[c] = true
	}
	var faults []error
	complain := func(route string, err error) {
		for _, c := range spec.Complaints(err) {
			if c.Route == "" {
				c = &Complaint{Route: route, Attribute: c.Attribute, Text: c.Text}
			}
			faults = append(faults, c)
		}
	}
	complain("", spec.Decode(req.GetConfig(), s.info.Config))
	for _, r := range req.GetRoutes() {
		route := &Route{
			ID: r.GetId(), Path: r.GetPath(), Role: r.GetRole(), Upstream: r.GetUpstream(), Auth: r.GetAuth(),
			Push: r.GetPush(),
		}
		if s.info.RouteConfig != nil {
			route.Config = reflect.New(reflect.TypeOf(s.info.RouteConfig).Elem()).Interface()
			complain(route.ID, spec.Decode(r.GetConfig(), route.Config))
		}
		setup.Routes = append(setup.Routes, route)
		s.routes[route.ID] = route
	}
	if len(faults) == 0 {
		complain("", s.configure(setup))
	}
	resp := &pluginv1.ConfigureResponse{}
	for _, c := range spec.Complaints(errors.Join(faults...)) {
		resp.Complaints = append(resp.Complaints, &pluginv1.Complaint{Route: c.Route, Attribute: c.Attribute, Text: c.Text})
	}
	if q := s.info.Queues; q != nil && s.can["queue"] {
		resp.Queues = &pluginv1.Queues{
			TopicSize: uint32(max(q.TopicSize, 0)), MaxTopics: uint32(max(q.MaxTopics, 0)), TopicTtlMs: q.TopicTTL.Milliseconds(),
			Memory: q.Memory, SyncLater: q.SyncLater,
		}
	}
	if s.can["nodes"] {
		s.say(resp)
	}
	return resp, nil
}

// say adds what the plugin says of itself.
func (s *Server) say(resp *pluginv1.ConfigureResponse) {
	if s.info.About != nil {
		resp.About = *s.info.About
	}
	if s.info.Metrics == nil {
		return
	}
	for _, m := range *s.info.Metrics {
		pb := &pluginv1.Metric{Name: m.Name, Help: m.Help, Measure: pluginv1.Measure(m.Measure), Role: m.Role}
		for _, key := range slices.Sorted(maps.Keys(m.Labels)) {
			pb.Labels = append(pb.Labels, &pluginv1.Entry{Key: key, Value: []byte(m.Labels[key])})
		}
		resp.Metrics = append(resp.Metrics, pb)
	}
}

// Link implements the contract over gRPC.
func (s *Server) Link(stream grpc.BidiStreamingServer[pluginv1.LinkRequest, pluginv1.LinkResponse]) error {
	s.linkOpened()
	err := s.Serve(stream.Context(), grpcStream{stream})
	s.linkEnded(err == nil)
	if err != nil {
		return status.Error(codes.Aborted, err.Error())
	}
	return nil
}

type grpcStream struct{ s grpc.ServerStream }

func (g grpcStream) Send(b *wire.Batch) error { return g.s.SendMsg(b) }
func (g grpcStream) Recv(b *wire.Batch) error { return g.s.RecvMsg(b) }

// Serve handles the events of one link until the stream ends. After an orderly end (io.EOF) it
// returns nil once all events were handled and acked, or ctx is done; after any other at once, with
// the error, while handlers that run may still come to their end.
func (s *Server) Serve(ctx context.Context, stream Stream) error {
	l := newLink(ctx, s)
	defer l.stop()
	sent := make(chan error, 1)
	go func() { sent <- l.out.write(stream) }()
	err := l.read(stream)
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("receive events: %w", err)
	}
	if !l.drain() {
		return ctx.Err()
	}
	l.out.close()
	if err := <-sent; err != nil {
		return fmt.Errorf("send steps: %w", err)
	}
	if err := s.closePlugin(); err != nil {
		return fmt.Errorf("close plugin: %w", err)
	}
	return nil
}
