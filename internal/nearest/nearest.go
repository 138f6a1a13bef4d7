// Package nearest finds what somebody who mistyped a name may have meant.
package nearest

import "strings"

// Name returns the candidate that is most like name, or the empty string when none is. Of equally
// near ones it takes the first.
func Name(name string, candidates []string) string {
	best, bestDistance := "", limit(name)+1
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c
		}
		if d := Distance(name, c); d < bestDistance && d < max(len(name), len(c)) {
			best, bestDistance = c, d
		}
	}
	return best
}

// limit is how many slips may lie between a name and what was meant: a third of it, up to three.
func limit(name string) int { return min(max(len(name)/3, 1), 3) }

// Distance counts the letters to insert, leave out, replace or swap with their neighbour to make a
// into b.
func Distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		row[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}
