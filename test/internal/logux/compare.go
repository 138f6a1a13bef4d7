//go:build linux

package logux

import "slices"

// Hunk is a place where two transcripts differ: what one has and what the other has there.
type Hunk struct{ Want, Got []string }

// Compare returns where two transcripts differ, in order, by their longest common subsequence.
func Compare(want, got []string) []Hunk {
	// common[i][j] is the length of that of want[i:] and got[j:].
	common := make([][]int, len(want)+1)
	for i := range common {
		common[i] = make([]int, len(got)+1)
	}
	for i := range slices.Backward(want) {
		for j := len(got) - 1; j >= 0; j-- {
			if want[i] == got[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var hunks []Hunk
	for i, j := 0, 0; i < len(want) || j < len(got); {
		if i < len(want) && j < len(got) && want[i] == got[j] {
			i, j = i+1, j+1
			continue
		}
		var h Hunk
		for (i < len(want) || j < len(got)) && (i == len(want) || j == len(got) || want[i] != got[j]) {
			if j == len(got) || i < len(want) && common[i+1][j] >= common[i][j+1] {
				h.Want = append(h.Want, want[i])
				i++
			} else {
				h.Got = append(h.Got, got[j])
				j++
			}
		}
		hunks = append(hunks, h)
	}
	return hunks
}
