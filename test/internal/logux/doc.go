//go:build linux

// Package logux has the peers of the stories about Logux: a back-end whose answers a test writes, a
// client whose frames it writes, a control endpoint's caller, and the servers and clients of npm in
// processes of their own.
package logux
