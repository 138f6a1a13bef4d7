package mesh

import (
	"testing"

	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestReadmeTable(t *testing.T) { plugintest.ConfigTable(t, New(), "README.md") }
