package plugintest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/spec"
)

// ConfigTable looks whether a README says what an operator can set: the table of the route's block between
// the lines
//
//	<!-- config -->
//	<!-- /config -->
//
// and that of the plugin-wide block between <!-- plugin config --> and <!-- /plugin config -->. Each is to be
// there exactly once where the plugin declares such a block, and not where it declares none. What should
// stand there is in the test's failure, to be copied; see [spec.Table].
func ConfigTable[S any](tb testing.TB, p sdk.Plugin[S], readme string) {
	tb.Helper()
	server, err := sdk.NewServer(p, sdk.WithLogger(Logger(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	described, err := server.Describe(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		tb.Fatal(err)
	}
	for _, fault := range tableFaults(string(text), "plugin config", spec.Table(described.GetConfig())) {
		tb.Errorf("%s: %s", readme, fault)
	}
	for _, fault := range tableFaults(string(text), "config", spec.Table(described.GetRouteConfig())) {
		tb.Errorf("%s: %s", readme, fault)
	}
}

// tableFaults says what is wrong with a table between two marks.
func tableFaults(text, name, want string) (faults []string) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	if want == "" {
		if strings.Contains(text, begin) {
			faults = append(faults, fmt.Sprintf("the plugin declares nothing for the table %q", name))
		}
		return faults
	}
	if n := strings.Count(text, begin); n != 1 {
		faults = append(faults, fmt.Sprintf("the table %q is there %d times, want once", name, n))
	}
	_, rest, _ := strings.Cut(text, begin)
	if got, _, ok := strings.Cut(rest, end); !ok || got != want {
		faults = append(faults, fmt.Sprintf("the table is not what the plugin declares; it should be\n%s%s%s", begin, want, end))
	}
	return faults
}
