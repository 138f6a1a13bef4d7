package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/protocol-bridge/bridge/internal/nearest"
)

// The settings of @logux/server, by the names of their variables.
const (
	nodeHost           = "LOGUX_HOST"
	nodePort           = "LOGUX_PORT"
	nodeKey            = "LOGUX_KEY"
	nodeCert           = "LOGUX_CERT"
	nodeLogger         = "LOGUX_LOGGER"
	nodeBackend        = "LOGUX_BACKEND"
	nodeSecret         = "LOGUX_CONTROL_SECRET" //nolint:gosec // a name
	nodeMask           = "LOGUX_CONTROL_MASK"
	nodeSubprotocol    = "LOGUX_SUBPROTOCOL"
	nodeSupports       = "LOGUX_SUPPORTS"
	nodeRedis          = "LOGUX_REDIS"
	nodeMinSubprotocol = "LOGUX_MIN_SUBPROTOCOL"  // 0.14
	nodeReporter       = "LOGUX_REPORTER"         // up to 0.8
	nodePassword       = "LOGUX_CONTROL_PASSWORD" //nolint:gosec // a name; up to 0.6
	nodeControlHost    = "LOGUX_CONTROL_HOST"     // up to 0.6
	nodeControlPort    = "LOGUX_CONTROL_PORT"     // up to 0.6
	nodeEnv            = "NODE_ENV"               // also of others
	libraryURL         = "LOGUX_URL"              // Rails: where it posts to
	libraryControlURL  = "LOGUX_CONTROL_URL"      // Laravel: the same
	libraryEndpoint    = "LOGUX_ENDPOINT_URL"     // Laravel: where it is asked
	libraryPassword    = "LOGUX_PASSWORD"
	libraryVersion     = "LOGUX_PROTOCOL_VERSION" // Laravel
	libraryConfig      = "LOGUX_CONFIG"           // Django, where it is a dictionary
)

// serverNames are the variables that are arguments too; controlSecret is --control-secret.
var serverNames = []string{
	nodeHost, nodePort, nodeKey, nodeCert, nodeLogger, nodeBackend, nodeSecret, nodeMask, nodeSubprotocol, nodeSupports, nodeRedis,
	nodeMinSubprotocol, nodeReporter, nodePassword, nodeControlHost, nodeControlPort,
}

// knownNames are all variables that are read.
var knownNames = slices.Concat(serverNames, []string{
	nodeEnv, libraryURL, libraryControlURL, libraryEndpoint, libraryPassword, libraryVersion, libraryConfig,
})

// shortArguments are those of one letter.
var shortArguments = map[string]string{"-h": nodeHost, "-p": nodePort, "-l": nodeLogger, "-r": nodeReporter}

// Where a setting stands.
const (
	inArguments   = "the arguments"
	inEnvironment = "the environment"
)

// setting is a value and where it stands: inArguments, inEnvironment, or the name of a file.
type setting struct{ value, from string }

// settings are what a Logux server was told. What was taken first goes before what is taken later.
type settings struct {
	of      map[string]setting
	unknown map[string]bool
	file    string // that was read; empty: none
}

func newSettings() *settings {
	return &settings{of: make(map[string]setting), unknown: make(map[string]bool)}
}

// take notes a variable. An empty one is as none.
func (s *settings) take(name, value, from string) {
	known := slices.Contains(knownNames, name)
	switch {
	case !known && strings.HasPrefix(name, "LOGUX_"):
		s.unknown[name] = true
	case known && value != "" && !s.has(name):
		s.of[name] = setting{value, from}
	}
}

func (s *settings) has(name string) bool     { return s.of[name].value != "" }
func (s *settings) value(name string) string { return s.of[name].value }

// first returns the first of some names that is set, or the empty string.
func (s *settings) first(names ...string) string {
	for _, name := range names {
		if s.has(name) {
			return name
		}
	}
	return ""
}

// unknownNames returns those that nobody knows, each with what may have been meant.
func (s *settings) unknownNames() []string {
	out := make([]string, 0, len(s.unknown))
	for _, name := range slices.Sorted(maps.Keys(s.unknown)) {
		if meant := nearest.Name(name, knownNames); meant != "" {
			name += " (did you mean " + meant + "?)"
		}
		out = append(out, name)
	}
	return out
}

func (s *settings) takeFile(name string, text []byte) {
	s.file = name
	file := make(map[string]string) // the last of several counts
	parseDotenv(string(text), func(key, value string) { file[key] = value })
	for key, value := range file {
		s.take(key, value, name)
	}
}

func (s *settings) takeEnvironment(environ []string) {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		s.take(name, value, inEnvironment)
	}
}

// takeArguments reads what node was started with. Values are not in its errors: they may be secrets.
func (s *settings) takeArguments(args []string) error {
	arguments := make(map[string]string, len(serverNames)+len(shortArguments))
	maps.Copy(arguments, shortArguments)
	for _, name := range serverNames {
		arguments[argumentOf(name)] = name
	}
	for len(args) > 0 {
		written, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		if !strings.HasPrefix(written, "-") {
			return errors.New("behind the two dashes stand only arguments of the Logux server, as --port 31337, and not the program's name")
		}
		name, ok := arguments[dashed(written)]
		if !ok {
			candidates := slices.Sorted(maps.Keys(arguments))
			if meant := nearest.Name(dashed(written), candidates); meant != "" {
				return fmt.Errorf("a Logux server has no argument %s; did you mean %s?", written, meant)
			}
			return fmt.Errorf("a Logux server has no argument %s; it has %s", written, strings.Join(candidates, ", "))
		}
		if !joined {
			if len(args) == 0 || strings.HasPrefix(args[0], "--") {
				return fmt.Errorf("the argument %s needs a value", written)
			}
			value, args = args[0], args[1:]
		}
		s.take(name, value, inArguments)
	}
	return nil
}

// argumentOf writes LOGUX_CONTROL_SECRET as --control-secret.
func argumentOf(name string) string {
	return "--" + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "LOGUX_"), "_", "-"))
}

// dashed writes --controlSecret, which node takes as well, as --control-secret.
func dashed(argument string) string {
	var out strings.Builder
	for _, r := range argument {
		if r >= 'A' && r <= 'Z' {
			out.WriteByte('-')
			r += 'a' - 'A'
		}
		out.WriteRune(r)
	}
	return out.String()
}
