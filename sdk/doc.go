// Package sdk is what a plugin of Bridge is written with.
//
// A plugin translates one protocol. It is a step: an event of one session and its state in, commands
// and new state out. It holds nothing that its death would lose and never waits: what takes time is
// a command, and its outcome is an event. So its process may be killed, upgraded or replaced at any
// moment while no connection drops and nothing is done twice.
//
// The whole of one, which counts what each client says:
//
//	type State struct{ N int }
//
//	type Counter struct{}
//
//	func (Counter) Describe() sdk.Info {
//		return sdk.Info{Name: "counter", Version: "1.0.0", StateVersion: 1}
//	}
//
//	func (Counter) Step(s *sdk.Session[State], ev sdk.Event) error {
//		if _, ok := ev.(sdk.Frame); ok {
//			s.State.N++ // kept by the core, with what the step asks for, or not at all
//			s.Textf("%d", s.State.N)
//		}
//		return nil
//	}
//
//	func main() { sdk.Main(Counter{}) }
//
// Two methods are mandatory ([Plugin]); what else a plugin can do is an interface of one method each:
// [Encoder] gives messages of other protocols this one's form, [Configurer] looks at the
// configuration as a whole. Configuration is a struct with tags, see package spec. Package plugintest
// runs a plugin's tests: in memory, over gRPC, and as a true child process that is killed at every
// event.
//
// The path of an event: link (link.go) → the actor's mailbox → a lane (lane.go) → turn (turn.go) →
// Step → commands and ack → output (output.go) → link.
package sdk
