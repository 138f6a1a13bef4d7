package plugintest

import (
	"strings"
	"testing"
)

func TestTableFaults(t *testing.T) {
	const table = "| a |\n"
	const right = "# p\n<!-- config -->\n| a |\n<!-- /config -->\n"
	tests := []struct {
		name, text, want string
		faults           []string // pieces of them
	}{
		{"right", right, table, nil},
		{"nothing to say", "# p\n", "", nil},
		{"nothing to say, and said", right, "", []string{"declares nothing"}},
		{"absent", "# p\n", table, []string{"0 times", "should be\n<!-- config -->\n| a |\n<!-- /config -->\n"}},
		{"another", strings.Replace(right, "| a |", "| b |", 1), table, []string{"should be"}},
		{"without an end", "<!-- config -->\n| a |\n", table, []string{"should be"}},
		{"twice", right + right, table, []string{"2 times"}},
		{"another block's", strings.ReplaceAll(right, "config -->", "plugin config -->"), table, []string{"0 times", "should be"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := tableFaults(test.text, "config", test.want)
			if len(got) != len(test.faults) {
				t.Fatalf("got %q, want %q", got, test.faults)
			}
			for i, piece := range test.faults {
				if !strings.Contains(got[i], piece) {
					t.Errorf("got %q, want %q", got[i], piece)
				}
			}
		})
	}
}
