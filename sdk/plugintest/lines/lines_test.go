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
