package mesh

import (
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestMain(m *testing.M) {
	plugintest.Main(m, func() int { return sdk.Run(New()) })
}

// routes are one for end users, whose frames go to the topic chat, and those of an API.
func routes() plugintest.Config {
	return plugintest.Config{Routes: []*pluginv1.RouteConfig{
		{Id: plugintest.Route, Path: "/", Role: roleClient, Config: []byte(`{"topic":"\"chat\""}`)},
		{Id: "api", Path: "/v1/", Role: roleAPI, Auth: true},
		{Id: "version", Path: "/version", Role: roleAPI, Auth: true},
		{Id: "socket", Path: "/ws/v1", Role: roleAPI, Auth: true},
	}}
}

func TestTranscripts(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	plugintest.Run(t, New, "testdata/transcripts/*.txt", routes())
}

// TestStatements plays the testable statements of the specification, each by its number.
func TestStatements(t *testing.T) {
	t.Parallel()
	plugintest.Run(t, New, "testdata/statements/*.txt", routes())
}
