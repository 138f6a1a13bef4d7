// Package test tells the stories of Bridge: what it guarantees, shown with the real command, real
// child processes, real back-ends and real clients. Each file is one story, and asserts what its
// first test says rather than how Bridge comes by it.
//
// With -short no story is left out; each is only smaller.
package test
