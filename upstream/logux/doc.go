// Package logux speaks the Logux back-end protocol, versions 1 to 4, as the side that asks: it
// writes commands ([Codec]) and reads what a back-end answers ([DecodeAnswer]).
//
// An [Exchange] turns the answers to neutral questions into neutral answers; an [AuthExchange] does
// it for the auth command. Both are fed an HTTP body as it arrives, cut anywhere, and act on each
// answer when its last byte is there.
//
// A Logux server's control endpoint takes action commands, in the same envelope
// ([Codec.AppendControl], [Codec.AppendMessage]), and answers with a status alone. [AppendCookies]
// makes an auth command's cookies of an HTTP header.
//
// The package does no I/O and has no clock: package core/upstream does the calling. What a Logux
// client is told is the business of the Logux plugin, which asks with commands of its own
// (Request.Raw) and reads the answers' elements with [DecodeAnswer].
//
// Actions and their payloads are passed on byte for byte.
package logux
