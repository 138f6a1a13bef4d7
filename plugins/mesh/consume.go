package mesh

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// maxWindow is how many events a connection may have that are not written yet.
const maxWindow = 256

// topics are those that a connection consumes, each with the request that began it.
type topics map[string]uint32

// topicsOf reads the lines of State.Topics: a number, a blank, a name.
func topicsOf(text string) topics {
	list := make(topics)
	for line := range strings.Lines(text) {
		number, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, _ := strconv.ParseUint(number, 10, 32)
		list[name] = uint32(n)
	}
	return list
}

func (t topics) text() string {
	lines := make([]string, 0, len(t))
	for name, number := range t {
		lines = append(lines, strconv.FormatUint(uint64(number), 10)+" "+name+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// pop begins to consume topics, all or none.
func (p *Plugin) pop(s *session, r *request) *fault {
	raw := r.params
	if rawjson.KindOf(raw) != rawjson.Array { // which is the older form
		o, f := paramsOf(raw)
		if f != nil {
			return f
		}
		raw = o["t"]
	}
	list, f := names(raw)
	if f != nil {
		return f
	}
	consumed := topicsOf(s.State.Topics)
	for _, name := range list {
		if _, ok := consumed[name]; ok {
			return &fault{codeRepeated, "repeated consumption"}
		}
	}
	if len(consumed)+len(list) > p.config.MaxTopics || !mayConsume(s.Identity(), list) {
		return &fault{codeConsume, "consumption failed"}
	}
	s.State.Pops++
	window := max(1, maxWindow/(len(consumed)+len(list)))
	if len(consumed) > 0 { // they share with those that come
		s.ConsumeAll("", window, slices.Sorted(maps.Keys(consumed))...)
	}
	for _, name := range list {
		consumed[name] = s.State.Pops
	}
	s.State.Topics = consumed.text()
	tag := popTag + strconv.FormatUint(uint64(s.State.Pops), 10) + ":" + string(r.id)
	s.ConsumeAll(tag, window, list...)
	return nil
}

// popped answers a request to consume.
func (p *Plugin) popped(s *session, a *sdk.Answer) {
	number, id, _ := strings.Cut(a.Tag[len(popTag):], ":")
	if a.OK() {
		s.Send(resultOf(done, []byte(id)))
		return
	}
	of, _ := strconv.ParseUint(number, 10, 32)
	consumed := topicsOf(s.State.Topics)
	for name, by := range consumed {
		if by == uint32(of) {
			delete(consumed, name)
		}
	}
	s.State.Topics = consumed.text()
	s.Send(faultOf(&fault{codeConsume, "consumption failed"}, []byte(id)))
}

// unpop stops consuming whatever there is.
func (p *Plugin) unpop(s *session, r *request) *fault {
	if s.State.Topics == "" {
		return &fault{codeCancel, "nothing is consumed"}
	}
	s.ConsumeAll("", 0, slices.Sorted(maps.Keys(topicsOf(s.State.Topics)))...)
	s.State.Topics = ""
	s.Send(resultOf(done, r.id))
	return nil
}

// delivery passes on what is in the queue, which is an event as the back-end gets it. What comes behind an
// unpop has gone back to the queue.
func (p *Plugin) delivery(s *session, e *sdk.Delivery) {
	if _, ok := topicsOf(s.State.Topics)[e.Topic]; ok {
		s.SendSettling(e.Data, false, e.ID)
	}
}
