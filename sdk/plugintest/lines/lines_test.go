package lines_test

import (
	"testing"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
	"github.com/protocol-bridge/bridge/sdk/plugintest/lines"
)

func TestMain(m *testing.M) {
	plugintest.Main(m, func() int { return sdk.Run(lines.New()) })
}

func TestTranscripts(t *testing.T) {
	plugintest.Run(t, lines.New, "testdata/*.txt", plugintest.Config{})
}

func FuzzStep(f *testing.F) {
	plugintest.FuzzStep(f, lines.New, plugintest.Config{}, "SUB x", "PUB x text", "ASK {}", "COUNT", "STATE x", "TIMER 5", "BIG 9", "CLOSE 4000 x")
}
