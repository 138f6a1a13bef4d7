// Command shout is a plugin of Bridge, made to be copied: a protocol over WebSocket in which a frame is
// a command of one line, and the last line of each answer begins with OK or ERR.
//
//	HELLO token   says who the client is, before anything else
//	JOIN room     joins a room: "HERE name" goes to all in it
//	SHOUT text    goes to all rooms joined, in upper case, as "SAID name: TEXT"
//	ASK json      asks the back-end; what it replies comes as "ANSWER json"
//	COUNT         says how many commands were accepted
//
// A message of another protocol on one of its channels is shown as "GOT type json". A client that is
// silent for a minute is closed.
package main

import "github.com/protocol-bridge/bridge/sdk"

func main() { sdk.Main(Shout{}) }
