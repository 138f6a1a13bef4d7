//go:build linux

package harness

import "regexp"

var fixedAddress = regexp.MustCompile(`(address\s+= )"127\.0\.0\.1:\d+"`)

// FreePorts is the text of a bridge.hcl with any free port for each listener's.
func FreePorts(text string) string { return fixedAddress.ReplaceAllString(text, `$1"127.0.0.1:0"`) }
