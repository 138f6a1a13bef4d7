// Command jobs is a plugin of the stories that uses queues as its clients tell it, in text frames:
//
//	push TOPIC TEXT    TEXT is stored: "pushed TEXT ok", or "denied" or "unavailable" and the reason
//	pop WINDOW TOPIC…  the topics are consumed: "popped ok", and "got TOPIC ATTEMPT TEXT" for each entry
//	unpop TOPIC…       not any more: "unpopped ok"
//	keep               entries are not settled from now on: "keeping"
//	bind KEY           the session is one of the actor KEY from now on: "bound". What it pops is the actor's,
//	                   and goes to any of its sessions
package main

import (
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
)

func main() { sdk.Main(&plugin{}) }

type plugin struct {
	config config
	queues sdk.Queues
}

type config struct {
	TopicSize int    `bridge:"topic_size,default=0" doc:"entries that may wait in a topic"`
	MaxTopics int    `bridge:"max_topics,default=0" doc:"topics that there may be"`
	Sync      string `bridge:"sync,default=always,oneof=always|interval" doc:"when what is stored is on disk"`
}

// state is what a session keeps, or a named actor.
type state struct {
	Keep   bool
	Topics []string // that a named actor consumes
}

func (p *plugin) Describe() sdk.Info {
	return sdk.Info{Name: "jobs", Version: "1", Config: &p.config, Queues: &p.queues}
}

// Configure hands on what the configuration says of queues.
func (p *plugin) Configure(sdk.Setup) error {
	p.queues = sdk.Queues{TopicSize: p.config.TopicSize, MaxTopics: p.config.MaxTopics, SyncLater: p.config.Sync == "interval"}
	return nil
}

func (p *plugin) Step(s *sdk.Session[state], ev sdk.Event) error {
	switch ev := ev.(type) {
	case sdk.Frame:
		return p.frame(s, string(ev.Data))
	case sdk.Answer:
		outcome := map[sdk.Outcome]string{sdk.OutcomeOK: "ok", sdk.OutcomeDenied: "denied", sdk.OutcomeUnavailable: "unavailable"}[ev.Outcome]
		to(s).Text(strings.TrimSuffix(ev.Tag+" "+outcome+" "+ev.Reason, " "))
	case sdk.Delivery:
		text := []byte("got " + ev.Topic + " " + strconv.Itoa(ev.Attempt) + " " + string(ev.Data))
		if s.State.Keep {
			to(s).Send(text)
			return nil
		}
		to(s).SendSettling(text, false, ev.ID)
	case sdk.Bound:
		s.Text("bound")
	case sdk.Closed:
		if s.Named() && len(s.State.Topics) > 0 && !others(s) {
			s.ConsumeAll("", 0, s.State.Topics...)
			s.State.Topics = nil
		}
	}
	return nil
}

// to is the connection that an event is for: where it is of none, any of the named actor's.
func to(s *sdk.Session[state]) *sdk.Conn {
	if s.ID() == 0 {
		for c := range s.Sessions() {
			return c
		}
	}
	return &s.Conn
}

// others says whether a named actor has sessions beside that of the event.
func others(s *sdk.Session[state]) bool {
	for c := range s.Sessions() {
		if c.ID() != s.ID() {
			return true
		}
	}
	return false
}

func (p *plugin) frame(s *sdk.Session[state], line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "push":
		topic, text, _ := strings.Cut(rest, " ")
		s.Push("pushed "+text, topic, []byte(text))
	case "pop":
		window, topics, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(window)
		if err != nil {
			return sdk.Reject("pop WINDOW TOPIC…")
		}
		if s.Named() {
			s.State.Topics = append(s.State.Topics, strings.Fields(topics)...)
		}
		s.ConsumeAll("popped", n, strings.Fields(topics)...)
	case "unpop":
		s.ConsumeAll("unpopped", 0, strings.Fields(rest)...)
	case "bind":
		s.Bind(rest)
	case "keep":
		s.State.Keep = true
		s.Text("keeping")
	default:
		return sdk.Reject("unknown: " + verb)
	}
	return nil
}
