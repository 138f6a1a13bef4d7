package pluginhost

import (
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// TestGathered: what a counted publish leaves to be written waits for the next call of its key, where that is
// one as well, and for a few at most.
func TestGathered(t *testing.T) {
	publish := func(size int) *call {
		return &call{msg: &pluginv1.Call{Order: "k", Target: &pluginv1.Call_Publish{Publish: &pluginv1.Publish{
			Variants: []*pluginv1.Variant{{Data: make([]byte, size)}},
		}}}}
	}
	ask := &call{msg: &pluginv1.Call{Order: "k", Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{}}}}
	detached := publish(1)
	detached.detached = true
	for _, tc := range []struct {
		name    string
		call    *call
		before  int // gathered already
		waiting []*call
		want    int
	}{
		{"nothing waits", publish(1), 3, nil, 0},
		{"a publish waits", publish(1), 3, []*call{publish(1), ask}, 4},
		{"another call waits", publish(1), 3, []*call{ask, publish(1)}, 0},
		{"the most", publish(1), mostGathered - 1, []*call{publish(1)}, 0},
		{"a large one", publish(mostGatheredSize), 0, []*call{publish(1)}, 0},
		{"has no place any more", detached, 0, []*call{publish(1)}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.call.actor = &Actor{calls: map[string]*callQueue{"k": {waiting: tc.waiting}}}
			g := &gathered{n: tc.before}
			if g.published(tc.call); g.n != tc.want {
				t.Errorf("%d are gathered, want %d", g.n, tc.want)
			}
			if tc.want == 0 && g.size != 0 {
				t.Errorf("the size is %d", g.size)
			}
		})
	}
}
