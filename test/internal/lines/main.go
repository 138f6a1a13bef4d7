// Command lines serves the plugin lines as an external plugin.
package main

import (
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest/lines"
)

func main() { sdk.Main(lines.New()) }
