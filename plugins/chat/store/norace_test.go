//go:build !race

package store

// longHistory is how many messages a long history has.
const longHistory = 1_000_000
