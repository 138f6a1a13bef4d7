package ctproto

import (
	"testing"

	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestHappy(t *testing.T) {
	steps := plugintest.Step(t, New(), plugintest.Text(`{"messageId":"abcdefghij","type":"authorize","payload":{"token":"good"}}`))
	for _, s := range steps { t.Log(plugintest.Format(s)) }
}
