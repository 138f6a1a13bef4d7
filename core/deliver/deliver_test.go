package deliver

import (
	"slices"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

func TestVariants(t *testing.T) {
	got := Variants([]*pluginv1.Variant{{
		Name: "v", Data: []byte("abc"),
		Slots: []*pluginv1.Slot{{At: 1, RandomId: 4}, {At: 0, Number: 1}, {At: 3, Number: 2}, {At: 9}, {At: 3, RandomId: 1 << 20}},
	}})
	var at []int
	for _, s := range got[0].Slots {
		at = append(at, s.At)
	}
	if !slices.Equal(at, []int{1, 3}) {
		t.Errorf("slots at %v, want those in order and inside, 1 and 3", at)
	}
}
