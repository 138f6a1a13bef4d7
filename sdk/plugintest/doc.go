// Package plugintest tests plugins: from one pure step to a real process behind the real host. It
// owns the rungs that a test climbs and plays everybody around the plugin: clients, back-end, clock.
//
//   - [Step], [Bench] and [FuzzStep] drive steps in memory without a core.
//   - [Run] plays transcripts against the core's own plugin host, on three rungs: in memory, over gRPC
//     in this process, and in a child process, which is the test binary run again (see [Main]). Each
//     is played again with the plugin killed before and after each of its acks: what clients and
//     back-ends see must not change.
//   - [ConfigTable] has the README say what an operator can set.
//   - Package lines, below this one, is a plugin that does whatever a test may want.
//
// # Transcripts
//
// A transcript is a text file, a line an act, played from top to bottom. What goes before the mark
// names a client or a call; one name, or none, is enough for most.
//
//	# a comment
//	! route {"errors":"silent"}        the route's configuration (JSON); before anything else
//	! plugin {"greeting":"hi"}         likewise the plugin's
//	! only child                       play it on these rungs only: memory, grpc, child
//	! open b /path?query               connects a client; its first line does so by itself
//	! tcp b                            connects a client by TCP: its text frames are lines, binary ones raw bytes
//	! admit b {"user":"38"}            who the auth backend says that client is before it is there, see [Reply]
//	! local b                          that client, which is not there yet, is of this machine
//	! advance 3s                       lets the clock run, once everybody is at rest; "advance 3s now" at once
//	! kill                             kills the plugin
//	! rest                             waits until everybody is at rest
//	! queue away                       the store of the queues fails from now on; "queue back" ends that
//	! publish CHANNEL TYPE PAYLOAD     another protocol publishes a message
//
//	> text                             the client sends a text frame
//	>b 00ff                            a binary one, in hex
//	>x 1000 bye                        closes
//	>e                                 says that it will send nothing more (TCP)
//	>h content-type: text/plain        has a header in the request that follows
//	>r POST /path body                 makes an HTTP request
//	b> text                            another client
//	< text                             the client gets a text frame
//	<b 00ff                            a binary one
//	<x 1008 Unauthorized               is closed; without a code by TCP
//	<f raw 12                          what it sends is cut so from now on (TCP): "raw 0" to the end, "lines"
//	<r 200 body                        gets a response; "200+" is its head with more to come, "+" more of
//	                                   it, "." the last
//
//	@ ask TYPE PAYLOAD                 the back-end is asked
//	@ subscribe CHANNEL PAYLOAD        likewise, with that purpose or another than "message"
//	@ push TYPE PAYLOAD                the route's other upstream is asked ("push raw …", "push subscribe …",
//	                                   "push VERSION COMMAND")
//	@ authenticate TOKEN PAYLOAD       the auth backend is asked; the token is "-" when there is none. Behind
//	                                   it stand, where there are any: user=38 subprotocol=1.0.0
//	                                   header.NAME=VALUE on_behalf cookie.NAME=VALUE
//	@ ask raw COMMAND                  likewise, by a command in the back-end's own form
//	@ = {"payload":{}}                 answers what was seen last, see [Reply]
//	1@ ask …  1@ = …                   where several are open at a time
//
// In what is expected, <id> stands for any letters, digits, "_" and "-", and <any> for anything. What
// is not expected is a failure too.
package plugintest
