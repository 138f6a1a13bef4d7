package chat

import (
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestMain(m *testing.M) {
	plugintest.Main(m, func() int { return sdk.Run(New()) })
}

// fresh is a configuration with an empty database for each play.
func fresh(t *testing.T) plugintest.Config {
	t.Helper()
	return plugintest.Config{
		Label:  "chat",
		Routes: []*pluginv1.RouteConfig{{Id: plugintest.Route, Path: "/"}},
		Fresh: func(c *plugintest.Config) {
			c.DataDir = t.TempDir() // another each time
		},
	}
}

// maker returns plugins whose database is closed with the test: one that is killed cannot do that itself.
func maker(t *testing.T) func() *Plugin {
	t.Helper()
	return func() *Plugin {
		p := New()
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		return p
	}
}

func TestTranscripts(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	plugintest.Run(t, maker(t), "testdata/transcripts/*.txt", fresh(t))
}

// TestTranscriptsInDatabase plays transfers of files again, which are in the database now.
func TestTranscriptsInDatabase(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	c.Plugin = `{"files":"database"}`
	plugintest.Run(t, maker(t), "testdata/transcripts/upload.txt", c)
}

// FuzzStep: whatever a stranger sends, one frame after another, no step fails. The first two frames make somebody
// who is logged in and has a room, as far as the fuzzer leaves them.
func FuzzStep(f *testing.F) {
	const signUp = `{"type":1,"login":"alice","pass":"3de9273e88d1153033fccc7574cc168a51022a55738bff6727ae581e8c19380f","name":"","desc":""}`
	dir := f.TempDir()
	var made []*Plugin
	f.Cleanup(func() {
		for _, p := range made {
			_ = p.Close()
		}
	})
	config := plugintest.Config{
		Label: "chat", DataDir: dir, Plugin: `{"single_session":false}`,
		Routes: []*pluginv1.RouteConfig{{Id: plugintest.Route, Path: "/"}},
	}
	plugintest.FuzzStep(f, func() *Plugin {
		for _, p := range made { // the last input's
			_ = p.Close()
		}
		made = []*Plugin{New()}
		return made[0]
	}, config,
		signUp,
		signUp+"\x00"+`{"type":12,"name":"n","desc":"","type":1}`+"\x00"+`{"type":3,"room_id":1,"message":"x","msg_type":0}`,
		`{"type":0,"login":"alice","pass":"3de9273e88d1153033fccc7574cc168a51022a55738bff6727ae581e8c19380f"}`+"\x00"+`{"type":"RQ_GET_ROOMS","date":0}`,
		`{"type":24,"room_id":1,"name":"x","size":3,"token":"x"}`,
		"{\"type\":11,\"date\":0}\n{\"type\":27}\n\nnot json",
	)
}
