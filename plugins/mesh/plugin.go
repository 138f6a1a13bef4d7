package mesh

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/sdk"
)

// Roles of routes.
const (
	roleAPI    = "api"
	roleClient = "client"
)

const (
	// maxMessage is the most that max_message may be, maxBody what a request's body may be then.
	maxMessage = 16 << 20
	maxBody    = 2*maxMessage + envelope
	// envelope is what a request may have besides its data.
	envelope = 64 << 10
	// frameBytes bounds a frame where a route does not: 1 MiB in base64, with its envelope.
	frameBytes = 4*(1<<20)/3 + envelope
	// stateBytes bounds the state of a session: what is held while it is paused, mostly.
	stateBytes = 1 << 20
)

// Plugin translates the mesh API.
type Plugin struct {
	config  Config
	queues  sdk.Queues
	about   []byte // host:port at which back-ends reach this node
	metrics []sdk.Metric
}

var (
	_ sdk.Plugin[State] = (*Plugin)(nil)
	_ sdk.Encoder       = (*Plugin)(nil)
	_ sdk.Configurer    = (*Plugin)(nil)
)

// New returns the plugin.
func New() *Plugin { return new(Plugin) }

// Describe implements sdk.Plugin.
func (p *Plugin) Describe() sdk.Info {
	return sdk.Info{
		Name:         "mesh",
		Version:      "1.0.0",
		StateVersion: 1,
		Roles: []sdk.Role{
			{
				Name: roleAPI, Doc: "back-ends, over HTTP and WebSocket", Auth: sdk.AuthHandshake,
				Transports: []sdk.Transport{sdk.HTTP, sdk.WebSocket}, BodyBytes: maxBody, Refusal: `{"E":{"c":101,"m":%s}}`,
				Unavailable: map[string]string{"send": `{"E":{"c":401,"m":%s}}`},
			},
			{Name: roleClient, Doc: "end users, whose frames go to a topic", Auth: sdk.AuthHandshake, Open: true},
		},
		Config:      &p.config,
		RouteConfig: new(RouteConfig),
		Queues:      &p.queues,
		About:       &p.about,
		Metrics:     &p.metrics,
		Limits:      sdk.Limits{FrameBytes: frameBytes, StateBytes: stateBytes},
	}
}

// Configure implements sdk.Configurer.
func (p *Plugin) Configure(setup sdk.Setup) error {
	c := &p.config
	p.queues = sdk.Queues{
		TopicSize: c.TopicSize, MaxTopics: c.MaxTopics, TopicTTL: c.TopicTTL,
		Memory: c.Storage == "memory", SyncLater: c.Sync == "interval",
	}
	p.metrics = metrics(c.ConnmixMetrics)
	var errs []error
	for _, r := range setup.Routes {
		complain := func(attribute, text string) {
			errs = append(errs, &sdk.Complaint{Route: r.ID, Attribute: attribute, Text: text})
		}
		rc, _ := r.Config.(*RouteConfig)
		switch {
		case r.Role == roleAPI:
			if rc != nil && rc.APIServer != "" && p.about == nil {
				p.about = []byte(rc.APIServer)
			}
			if base(r.Path) == "" {
				complain("", `The path of an API ends in "v1/", as "/v1/"; /ws/v1 and /version beside it go into "also".`)
			}
		case rc != nil && !rc.Topic.Given():
			complain("topic", `Say where the frames of end users go, as topic = "inbox".`)
		case rc != nil:
			if err := rc.prepare(); err != nil {
				complain("topic", "It is no topic: "+err.Error()+".")
			}
		}
	}
	return errors.Join(errs...)
}

// State is what a session is between events. Frames that are held lie in cells of their own.
type State struct {
	// Of an API's WebSocket.
	Topics string `json:"topics,omitempty"` // that it consumes, see topics
	Pops   uint32 `json:"pops,omitempty"`   // requests to consume so far
	Binary uint8  `json:"binary,omitempty"` // binary frames so far

	// Of an end user.
	Paused    bool   `json:"paused,omitempty"`
	First     uint32 `json:"first,omitempty"` // number of the first frame that is held
	Held      uint32 `json:"held,omitempty"`  // how many are
	HeldBytes uint32 `json:"held_bytes,omitempty"`
}

type session = sdk.Session[State]

// Step implements sdk.Plugin.
func (p *Plugin) Step(s *session, ev sdk.Event) error {
	switch {
	case s.Route().Role == roleClient:
		return p.client(s, ev)
	case s.Info().Transport == sdk.HTTP:
		p.http(s, ev)
	default:
		p.socket(s, ev)
	}
	return nil
}

// base is what the paths of an API begin with: "/" of "/v1/"; empty when the path of the route is not one
// of an API.
func base(path string) string {
	for _, end := range []string{"v1/", wsPath, versionPath, "*"} {
		if b, ok := strings.CutSuffix(path, end); ok && strings.HasSuffix(b, "/") {
			return b
		}
	}
	return ""
}

// endpoint is the session's path behind base.
func endpoint(s *session) string {
	rest, _ := strings.CutPrefix(s.Info().Path, base(s.Route().Path))
	return rest
}

// Config is the plugin-wide `config` block.
type Config struct {
	TopicSize      int           `bridge:"topic_size,default=2000" doc:"messages that may wait in one topic; a frame for a full one is refused"`
	MaxTopics      int           `bridge:"max_topics,default=100" doc:"topics that there may be"`
	TopicTTL       time.Duration `bridge:"topic_ttl,default=24h" doc:"how long a message waits for a consumer"`
	Storage        string        `bridge:"storage,default=file,oneof=file|memory" doc:"whether what waits in topics survives the core"`
	Sync           string        `bridge:"sync,default=always,oneof=always|interval" doc:"whether a frame is on the disk when it counts as stored, or soon after"`
	MaxMessage     sdk.Size      `bridge:"max_message,default=1MiB" doc:"largest data of a send or a publish, decoded, and largest frame of an end user; at most 16 MiB. Above 1 MiB raise the routes' max_frame as well"`
	ConnmixMetrics bool          `bridge:"connmix_metrics,default=false" doc:"show what CONNMIX' dashboards look for at /metrics, under its names"`
	PublishTotal   bool          `bridge:"publish_total,default=false" doc:"answer mesh.publish with t as well, the sum of s and f, for older clients"`
}

// Validate implements spec.Validator.
func (c *Config) Validate() error {
	var errs []error
	for _, n := range []struct {
		attribute string
		ok        bool
		text      string
	}{
		{"topic_size", c.TopicSize > 0, "It must be more than nothing."},
		{"max_topics", c.MaxTopics > 0, "It must be more than nothing."},
		{"topic_ttl", c.TopicTTL > 0, "It must be longer than nothing."},
		{"max_message", c.MaxMessage > 0 && c.MaxMessage <= maxMessage, fmt.Sprintf("It must be more than nothing and at most %d MiB.", maxMessage>>20)},
	} {
		if !n.ok {
			errs = append(errs, &sdk.Complaint{Attribute: n.attribute, Text: n.text})
		}
	}
	return errors.Join(errs...)
}
