//go:build race

package store

// longHistory is how many messages a long history has: under the race detector an SQLite in Go takes minutes for
// a million.
const longHistory = 50_000
