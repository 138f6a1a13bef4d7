package logux

import (
	"testing"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestMain(m *testing.M) {
	plugintest.Main(m, func() int { return sdk.Run(New()) })
}
