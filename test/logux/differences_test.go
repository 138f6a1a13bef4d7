//go:build linux

package logux

import (
	"regexp"
	"slices"
)

// loguxRewrite is a difference that may be anywhere: what a line of one side has is taken for what the
// other has.
type loguxRewrite struct {
	original bool // it is in the lines of the original server, else in those of Bridge
	has      *regexp.Regexp
	means    string
	why      string
}

var loguxRewrites = []loguxRewrite{
	{false, regexp.MustCompile(`< \["sync",\d{13,},`), `< ["sync",0,`, "outcomes are kept until their client has them, so they are numbered"},
	{true, regexp.MustCompile(`"reasons":\[\],"server":"server:ID",`), ``, "the meta of a subscription has no more keys than that of another action"},
	{false, regexp.MustCompile(` closed 1008 (wrong-protocol|wrong-subprotocol|wrong-credentials|wrong-format|unknown-message)$`), ` closed 1005`, "a close says why; clients look at error frames alone"},
	{false, regexp.MustCompile(` closed 1001 the client connected again$`), ` closed 1005`, "the same"},
}

// loguxDifference is what is done otherwise than the original server does it, in some scenes.
type loguxDifference struct {
	scenes []string // file/name
	why    string
	lines  string // "- " before those of the original server, "+ " before those of Bridge
}

func differenceOf(scene string) *loguxDifference {
	for i := range loguxDifferences {
		if slices.Contains(loguxDifferences[i].scenes, scene) {
			return &loguxDifferences[i]
		}
	}
	return nil
}

var loguxDifferences = []loguxDifference{
	{
		scenes: []string{"handshake/protocols"},
		why:    "a client is answered in the version it speaks, from 3 to 5, and a back-end is told a number as the SemVer it is",
		lines: `
- three< ["connected",4,"server:ID",[now,now],{"subprotocol":"1.2.0"}]
+ three< ["connected",3,"server:ID",[now,now],{"subprotocol":"1.2.0"}]

- five< ["connected",4,"server:ID",[now,now],{"subprotocol":"1.2.0"}]
+ five< ["connected",5,"server:ID",[now,now],{"subprotocol":1}]

- six< ["connected",4,"server:ID",[now,now],{"subprotocol":"1.2.0"}]
+ six< ["connected",5,"server:ID",[now,now],{"subprotocol":1}]

- @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":1,"token":"good","userId":"10"}
- @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":1,"token":"good","userId":"10"}
+ @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":"1.0.0","token":"good","userId":"10"}
+ @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":"1.0.0","token":"good","userId":"10"}
`,
	},
	{
		scenes: []string{"handshake/headers that are no texts"},
		why:    "headers are as they came, their numbers with all digits",
		lines: `
- @ auth {"authId":AUTH,"cookie":{},"headers":{"n":1.5,"x":{"y":[null]}},"subprotocol":"0.0.0","token":"good","userId":"10"}
- @ action {"action":{"type":"ok"},"headers":{"n":1.5,"x":{"y":[null]}},"meta":{"id":"a+1 10:a:t 0","subprotocol":"0.0.0","time":a+1}}
+ @ auth {"authId":AUTH,"cookie":{},"headers":{"n":1.50,"x":{"y":[null]}},"subprotocol":"0.0.0","token":"good","userId":"10"}
+ @ action {"action":{"type":"ok"},"headers":{"n":1.50,"x":{"y":[null]}},"meta":{"id":"a+1 10:a:t 0","subprotocol":"0.0.0","time":a+1}}
`,
	},
	{
		scenes: []string{"handshake/a second connect"},
		why:    "a connection stays whose it is",
		lines: `
- a< ["connected",4,"server:ID",[now,now],{"subprotocol":"1.2.0"}]
+ a< ["error","wrong-format","[\"connect\",4,\"11:b:t\",0,{\"token\":\"good\"}]"]
+ a closed 1005

- @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":"0.0.0","token":"good","userId":"11"}
`,
	},
	{
		scenes: []string{"handshake/connected from a client"},
		why:    "a connection stays whose it is",
		lines: `
+ a< ["error","wrong-format","[\"connected\",4,\"10:a:t\",[1,2]]"]

- @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":"0.0.0","userId":"10"}
`,
	},
	{
		scenes: []string{"handshake/a stranger with a client's name"},
		why:    "who is refused takes nothing from the client that they claimed to be",
		lines: `
+ a< ["sync",0,{"type":"to the client"},{"id":now,"subprotocol":"1.2.0","time":now}]

+ a< ["sync",0,{"type":"to the channel"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a nothing comes
+ a< ["sync",0,{"id":"a+2 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"handshake/guessing"},
		why:    "guesses are counted by address and user, so that others behind the address get in, and the back-end is not asked when its answer cannot matter",
		lines: `
- a''''< ["error","wrong-credentials"]
+ a''''< ["connected",4,"server:ID",[now,now],{"subprotocol":"1.2.0"}]

- @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":"0.0.0","token":"good","userId":"10"}
`,
	},
	{
		scenes: []string{"handshake/development"},
		why:    "version 3 of the protocol has no headers, and is answered as version 3",
		lines: `
- three< ["headers",{"env":"development"}]
- three< ["connected",4,"server:ID",[now,now],{"subprotocol":"1.2.0"}]
+ three< ["connected",3,"server:ID",[now,now],{"subprotocol":"1.2.0"}]
`,
	},
	{
		scenes: []string{"handshake/errors in development"},
		why:    "an error's text goes to the author alone",
		lines: `
- other< ["debug","error","stack"]
- other< ["debug","error","stack"]
`,
	},
	{
		scenes: []string{"handshake/numbers as subprotocols"},
		why:    "a client is answered in the version it speaks, from 3 to 5, and a back-end is told a number as the SemVer it is",
		lines: `
- a< ["connected",4,"server:ID",[now,now],{"subprotocol":"1.2.0"}]
+ a< ["connected",5,"server:ID",[now,now],{"subprotocol":1}]

- a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":1,"time":now}]

- none< ["connected",4,"server:ID",[now,now],{"subprotocol":"1.2.0"}]
+ none< ["connected",5,"server:ID",[now,now],{"subprotocol":1}]

- b< ["error","wrong-subprotocol",{"supported":"^2.0.0","used":1}]
+ b< ["error","wrong-subprotocol",{"supported":2,"used":1}]

- @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":3,"token":"good","userId":"10"}
- @ action {"action":{"type":"ok"},"headers":{},"meta":{"id":"a+1 10:a:t 0","subprotocol":3,"time":a+1}}
+ @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":"3.0.0","token":"good","userId":"10"}
+ @ action {"action":{"type":"ok"},"headers":{},"meta":{"id":"a+1 10:a:t 0","subprotocol":"3.0.0","time":a+1}}

- @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":1,"token":"range","userId":"10"}
+ @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":"1.0.0","token":"range","userId":"10"}
`,
	},
	{
		scenes: []string{
			"refusals/status 500",
			"refusals/status 503",
			"refusals/status 404",
			"refusals/wrong secret",
			"refusals/no answers",
			"refusals/empty",
			"refusals/an answer to something else",
			"refusals/not JSON",
			"refusals/truncated",
			"refusals/reset",
			"refusals/reset in the array",
			"refusals/an answer to an action",
			"refusals/an unknown answer",
			"refusals/refused connections",
		},
		why: "a back-end that cannot answer refused nobody: a client that is told so gives up for good, one that is not comes back",
		lines: `
- a< ["error","wrong-credentials"]
- a closed 1005
+ a closed 1013 try again later
`,
	},
	{
		scenes: []string{"refusals/cut off in the array"},
		why:    "a back-end that cannot answer refused nobody, and no client waits for ever",
		lines: `
- a nothing comes
- a nothing comes
- a leaves
+ a closed 1013 try again later
`,
	},
	{
		scenes: []string{"frames/a number for a token"},
		why:    "a token is a string",
		lines: `
- a nothing comes
- a< ["error","wrong-credentials"]
+ a< ["error","wrong-format","[\"connect\",4,\"10:a:t\",0,{\"token\":5}]"]

- @ auth {"authId":AUTH,"cookie":{},"headers":{},"subprotocol":"0.0.0","token":5,"userId":"10"}
`,
	},
	{
		scenes: []string{"frames/frames that are answered, or with nothing"},
		why:    "the Easter egg is not answered",
		lines: `
- a< ["duilian","板城烧锅酒"]
`,
	},
	{
		scenes: []string{"answers/denied"},
		why:    "denied is what the first examples of the protocol answer for forbidden",
		lines: `
- a< ["sync",0,{"action":{"type":"it","payload":1},"id":"a+1 10:a:t 0","reason":"error","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"it","payload":1},"id":"a+1 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"answers/unknown channel for an action"},
		why:    "an action is undone once, and for the reason that fits it",
		lines: `
- a< ["sync",0,{"action":{"type":"it","payload":1},"id":"a+1 10:a:t 0","reason":"wrongChannel","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"it","payload":1},"id":"a+1 10:a:t 0","reason":"unknownType","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a< ["sync",0,{"action":{"type":"it","payload":1},"id":"a+1 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
- control {"command":"action","action":{"type":"behind"},"meta":{"channels":["room","it"]}}: 200 ""
- b< ["sync",0,{"type":"behind"},{"id":now,"subprotocol":"1.2.0","time":now}]

+ control {"command":"action","action":{"type":"behind"},"meta":{"channels":["room","it"]}}: 200 ""
+ b< ["sync",0,{"type":"behind"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"answers/cut off after an answer"},
		why:    "a response that is cut off is a failure, and the client's next action is worked off",
		lines: `
- a nothing comes
+ a< ["sync",0,{"action":{"type":"it","payload":1},"id":"a+1 10:a:t 0","reason":"error","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a nothing comes
+ a< ["sync",0,{"id":"a+2 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

+ @ action {"action":{"type":"next"},"headers":{},"meta":{"id":"a+2 10:a:t 0","subprotocol":"0.0.0","time":a+2}}
`,
	},
	{
		scenes: []string{
			"answers/a byte order mark",
			"answers/junk behind the array",
			"answers/resend after approved",
			"answers/error after processed, at once",
			"answers/arrays",
		},
		why: "what the answers say is known, and what is odd around them changes nothing",
		lines: `
- a< ["sync",0,{"action":{"type":"it","payload":1},"id":"a+1 10:a:t 0","reason":"error","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"answers/an object for the array"},
		why:    "answers come in an array",
		lines: `
- a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"it","payload":1},"id":"a+1 10:a:t 0","reason":"error","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"answers/resend twice", "answers/resend to a string"},
		why:    "all who are named are addressed, whatever the form",
		lines: `
+ b< ["sync",0,{"type":"it","payload":1},{"id":[a+1,"10:a:t",0],"subprotocol":"0.0.0","time":a+1}]
`,
	},
	{
		scenes: []string{"answers/an action before forbidden"},
		why:    "what comes with an action waits until that is approved",
		lines: `
- a< ["sync",0,{"type":"more"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"answers/an action without meta", "answers/an action for nobody"},
		why:    "an action for nobody is for the author",
		lines: `
+ a< ["sync",0,{"type":"more"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"answers/resend for a subscription"},
		why:    "a subscription is not resent, and fails no more for it",
		lines: `
- a< ["sync",0,{"action":{"type":"logux/subscribe","channel":"it"},"id":"a+1 10:a:t 0","reason":"error","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

+ a< ["sync",0,{"type":"behind"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"queue/undone by the back-end while it runs"},
		why:    "an action has one outcome",
		lines: `
- a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"queue/the author goes while its subscription waits"},
		why:    "the queue of a client goes on, and what it missed it gets when it comes back",
		lines: `
+ b< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

- b nothing comes
+ b< ["sync",0,{"id":"b+2 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

+ @ action {"action":{"type":"ok"},"headers":{},"meta":{"id":"b+2 10:a:t 0","subprotocol":"0.0.0","time":b+2}}
`,
	},
	{
		scenes: []string{"queue/types of the protocol's own"},
		why:    "every action has an outcome, and the queue goes on",
		lines: `
+ a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a nothing comes

- a' nothing comes
+ a'< ["sync",0,{"id":"a'+1 11:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a'< ["sync",0,{"id":"a'+2 11:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a'' nothing comes
+ a''< ["sync",0,{"id":"a''+1 12:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a''< ["sync",0,{"id":"a''+2 12:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a''' nothing comes
+ a'''< ["sync",0,{"id":"a'''+1 13:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a'''< ["sync",0,{"id":"a'''+2 13:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

+ @ action {"action":{"type":"ok"},"headers":{},"meta":{"id":"a'+2 11:a:t 0","subprotocol":"0.0.0","time":a'+2}}

+ @ action {"action":{"type":"ok"},"headers":{},"meta":{"id":"a''+2 12:a:t 0","subprotocol":"0.0.0","time":a''+2}}

+ @ action {"action":{"type":"ok"},"headers":{},"meta":{"id":"a'''+2 13:a:t 0","subprotocol":"0.0.0","time":a'''+2}}
`,
	},
	{
		scenes: []string{"queue/an id that is done"},
		why:    "an action that is done is not done again: the client gets the same outcome",
		lines: `
- @ action {"action":{"type":"ok"},"headers":{},"meta":{"id":"a+1 10:a:t 0","subprotocol":"0.0.0","time":a+1}}

- @ action {"action":{"type":"no"},"headers":{},"meta":{"id":"a+2 10:a:t 0","subprotocol":"0.0.0","time":a+2}}
`,
	},
	{
		scenes: []string{"subscriptions/names that others have no use for"},
		why:    "channels are shared by all protocols, and have names that all can write",
		lines: `
- a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"logux/subscribe","channel":"with space"},"id":"a+1 10:a:t 0","reason":"wrongChannel","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a< ["sync",0,{"id":"a+2 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"logux/subscribe","channel":"$own"},"id":"a+2 10:a:t 0","reason":"wrongChannel","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a< ["sync",0,{"id":"a+3 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"logux/subscribe","channel":""},"id":"a+3 10:a:t 0","reason":"wrongChannel","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- @ action {"action":{"type":"logux/subscribe","channel":"with space"},"headers":{},"meta":{"id":"a+1 10:a:t 0","subprotocol":"0.0.0","time":a+1}}
- @ action {"action":{"type":"logux/subscribe","channel":"$own"},"headers":{},"meta":{"id":"a+2 10:a:t 0","subprotocol":"0.0.0","time":a+2}}
- @ action {"action":{"type":"logux/subscribe","channel":""},"headers":{},"meta":{"id":"a+3 10:a:t 0","subprotocol":"0.0.0","time":a+3}}
`,
	},
	{
		scenes: []string{"subscriptions/filters"},
		why:    "a connection gets an action once",
		lines: `
- a< ["sync",0,{"type":"note"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a< ["sync",0,{"type":"note"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"subscriptions/another tab on the connection"},
		why:    "all subscriptions of a client go with its connection",
		lines: `
- b< ["sync",0,{"type":"note"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"receivers/of the control endpoint"},
		why:    "a connection gets an action once, excluded clients never, numbers are ids too, and a name beside a list is added to it",
		lines: `
- a1< ["sync",0,{"type":"note","row":10,"a":{"y":1,"b":[1,2]}},{"id":now,"subprotocol":"1.2.0","time":now}]

- a1< ["sync",0,{"type":"note","row":11,"a":{"y":1,"b":[1,2]}},{"id":now,"subprotocol":"1.2.0","time":now}]
- a1< ["sync",0,{"type":"note","row":14,"a":{"y":1,"b":[1,2]}},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a1< ["sync",0,{"type":"note","row":15,"a":{"y":1,"b":[1,2]}},{"id":now,"subprotocol":"1.2.0","time":now}]

+ a2< ["sync",0,{"type":"note","row":15,"a":{"y":1,"b":[1,2]}},{"id":now,"subprotocol":"1.2.0","time":now}]

+ b< ["sync",0,{"type":"note","row":12,"a":{"y":1,"b":[1,2]}},{"id":now,"subprotocol":"1.2.0","time":now}]

- c< ["sync",0,{"type":"note","row":14,"a":{"y":1,"b":[1,2]}},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{`receivers/of a resend: "nodes":["10:a1:t"],"clients":["10:a1"]`},
		why:    "a connection gets an action once",
		lines: `
- a1< ["sync",0,{"type":"note","row":9},{"id":[a1+2,"10:a1:t",0],"subprotocol":"0.0.0","time":a1+2}]
`,
	},
	{
		scenes: []string{`receivers/of a resend: "nodes":["10:a1:t"],"clients":["10:a1"],"users":["10"],"channels":["room"]`},
		why:    "a connection gets an action once",
		lines: `
- a1< ["sync",0,{"type":"note","row":10},{"id":[a1+2,"10:a1:t",0],"subprotocol":"0.0.0","time":a1+2}]
`,
	},
	{
		scenes: []string{`receivers/of a resend: "user":"12","users":["11"]`},
		why:    "a name beside a list is added to it",
		lines: `
+ b< ["sync",0,{"type":"note","row":11},{"id":[a1+2,"10:a1:t",0],"subprotocol":"0.0.0","time":a1+2}]
`,
	},
	{
		scenes: []string{`receivers/of a resend: "users":[10]`},
		why:    "numbers are ids too",
		lines: `
+ a2< ["sync",0,{"type":"note","row":14},{"id":[a1+2,"10:a1:t",0],"subprotocol":"0.0.0","time":a1+2}]
`,
	},
	{
		scenes: []string{"receivers/of answers"},
		why:    "a connection gets an action once, excluded clients never, numbers are ids too, a name beside a list is added to it, and an action for nobody is for the author",
		lines: `
+ a1< ["sync",0,{"type":"note","row":0},{"id":now,"subprotocol":"1.2.0","time":now}]

- a1< ["sync",0,{"type":"note","row":10},{"id":now,"subprotocol":"1.2.0","time":now}]

- a1< ["sync",0,{"type":"note","row":11},{"id":now,"subprotocol":"1.2.0","time":now}]
- a1< ["sync",0,{"type":"note","row":14},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a1< ["sync",0,{"type":"note","row":15},{"id":now,"subprotocol":"1.2.0","time":now}]

+ a2< ["sync",0,{"type":"note","row":15},{"id":now,"subprotocol":"1.2.0","time":now}]

+ b< ["sync",0,{"type":"note","row":12},{"id":now,"subprotocol":"1.2.0","time":now}]

- c< ["sync",0,{"type":"note","row":14},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"control/version 3"},
		why:    "back-ends of all versions are served, side by side",
		lines: `
- POST / {"version":3,"secret":"SECRET","commands":[["action",{"type":"note"},{"clients":["11:b"]}]]}: 400 "Back-end protocol version is not supported"
+ POST / {"version":3,"secret":"SECRET","commands":[["action",{"type":"note"},{"clients":["11:b"]}]]}: 200 ""

+ b< ["sync",0,{"type":"note"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"control/version 1"},
		why:    "back-ends of all versions are served, side by side",
		lines: `
- POST / {"version":1,"password":"SECRET","commands":[["action",{"type":"note"},{"clients":["11:b"]}]]}: 400 "Wrong body"
+ POST / {"version":1,"password":"SECRET","commands":[["action",{"type":"note"},{"clients":["11:b"]}]]}: 200 ""

+ b< ["sync",0,{"type":"note"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"ids/forms"},
		why:    "a time may have a fraction",
		lines: `
- a< ["sync",0,{"type":"note","n":5},{"id":[now,"10:a:t",0],"subprotocol":"0.0.0","time":now}]
+ a< ["sync",0,{"type":"note","n":5},{"id":[a+7.5,"10:a:t",0],"subprotocol":"0.0.0","time":a+5}]

- b< ["sync",0,{"type":"note","n":5},{"id":[now,"10:a:t",0],"subprotocol":"0.0.0","time":now}]
+ b< ["sync",0,{"type":"note","n":5},{"id":[a+7.5,"10:a:t",0],"subprotocol":"0.0.0","time":a+5}]
`,
	},
	{
		scenes: []string{"ids/further keys of a meta"},
		why:    "a client cannot say whom the refusal of its action reaches, nor that it is kept",
		lines: `
- a< ["sync",1,{"action":{"type":"note"},"id":"a+2 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"note"},"id":"a+2 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a< ["sync",1,{"action":{"type":"note"},"id":"a+3 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"note"},"id":"a+3 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a< ["sync",1,{"action":{"type":"note"},"id":"a+4 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"note"},"id":"a+4 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- a< ["sync",1,{"id":"a+5 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"id":"a+5 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]

- b< ["sync",0,{"action":{"type":"note"},"id":"a+1 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"ids/bytes"},
		why:    "an action's bytes are not touched",
		lines: `
- a< ["sync",0,{"action":{"type":"no","z":1,"n":12345678901234567000},"id":"a+9 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"action":{"type":"no","z":1,"n":12345678901234567890},"id":"a+9 10:a:t 0","reason":"denied","type":"logux/undo"},{"id":now,"subprotocol":"1.2.0","time":now}]

- b< ["sync",0,{"type":"A","n":12345678901234567000},{"id":[a+3,"10:a:t",0],"subprotocol":"0.0.0","time":a+3}]
- b< ["sync",0,{"type":"A","n":1,"e":100},{"id":[a+4,"10:a:t",0],"subprotocol":"0.0.0","time":a+4}]
- b< ["sync",0,{"type":"A","s":"ф/"},{"id":[a+5,"10:a:t",0],"subprotocol":"0.0.0","time":a+5}]
- b< ["sync",0,{"type":"A","x":[1]},{"id":[a+6,"10:a:t",0],"subprotocol":"0.0.0","time":a+6}]
- b< ["sync",0,{"type":"A","x":2},{"id":[a+7,"10:a:t",0],"subprotocol":"0.0.0","time":a+7}]
- b< ["sync",0,{"9":2,"10":1,"type":"A","b":3},{"id":[a+8,"10:a:t",0],"subprotocol":"0.0.0","time":a+8}]
- b< ["sync",0,{"type":"end","n":12345678901234567000},{"id":now,"subprotocol":"1.2.0","time":now}]
+ b< ["sync",0,{"type":"A","n":12345678901234567890},{"id":[a+3,"10:a:t",0],"subprotocol":"0.0.0","time":a+3}]
+ b< ["sync",0,{"type":"A","n":1.0,"e":1e2},{"id":[a+4,"10:a:t",0],"subprotocol":"0.0.0","time":a+4}]
+ b< ["sync",0,{"type":"A","s":"\u0444\/"},{"id":[a+5,"10:a:t",0],"subprotocol":"0.0.0","time":a+5}]
+ b< ["sync",0,{ "type" : "A" , "x" : [ 1 ] },{"id":[a+6,"10:a:t",0],"subprotocol":"0.0.0","time":a+6}]
+ b< ["sync",0,{"type":"A","type":"A","x":1,"x":2},{"id":[a+7,"10:a:t",0],"subprotocol":"0.0.0","time":a+7}]
+ b< ["sync",0,{"type":"A","10":1,"9":2,"b":3},{"id":[a+8,"10:a:t",0],"subprotocol":"0.0.0","time":a+8}]
+ b< ["sync",0,{"type":"end","n":12345678901234567890},{"id":now,"subprotocol":"1.2.0","time":now}]

- @ action {"action":{"type":"A","n":12345678901234567000},"headers":{},"meta":{"id":"a+3 10:a:t 0","subprotocol":"0.0.0","time":a+3}}
- @ action {"action":{"type":"A","n":1,"e":100},"headers":{},"meta":{"id":"a+4 10:a:t 0","subprotocol":"0.0.0","time":a+4}}
- @ action {"action":{"type":"A","s":"ф/"},"headers":{},"meta":{"id":"a+5 10:a:t 0","subprotocol":"0.0.0","time":a+5}}
- @ action {"action":{"type":"A","x":[1]},"headers":{},"meta":{"id":"a+6 10:a:t 0","subprotocol":"0.0.0","time":a+6}}
- @ action {"action":{"type":"A","x":2},"headers":{},"meta":{"id":"a+7 10:a:t 0","subprotocol":"0.0.0","time":a+7}}
- @ action {"action":{"9":2,"10":1,"type":"A","b":3},"headers":{},"meta":{"id":"a+8 10:a:t 0","subprotocol":"0.0.0","time":a+8}}
- @ action {"action":{"type":"no","z":1,"n":12345678901234567000},"headers":{},"meta":{"id":"a+9 10:a:t 0","subprotocol":"0.0.0","time":a+9}}
+ @ action {"action":{"type":"A","n":12345678901234567890},"headers":{},"meta":{"id":"a+3 10:a:t 0","subprotocol":"0.0.0","time":a+3}}
+ @ action {"action":{"type":"A","n":1.0,"e":1e2},"headers":{},"meta":{"id":"a+4 10:a:t 0","subprotocol":"0.0.0","time":a+4}}
+ @ action {"action":{"type":"A","s":"\u0444\/"},"headers":{},"meta":{"id":"a+5 10:a:t 0","subprotocol":"0.0.0","time":a+5}}
+ @ action {"action":{ "type" : "A" , "x" : [ 1 ] },"headers":{},"meta":{"id":"a+6 10:a:t 0","subprotocol":"0.0.0","time":a+6}}
+ @ action {"action":{"type":"A","type":"A","x":1,"x":2},"headers":{},"meta":{"id":"a+7 10:a:t 0","subprotocol":"0.0.0","time":a+7}}
+ @ action {"action":{"type":"A","10":1,"9":2,"b":3},"headers":{},"meta":{"id":"a+8 10:a:t 0","subprotocol":"0.0.0","time":a+8}}
+ @ action {"action":{"type":"no","z":1,"n":12345678901234567890},"headers":{},"meta":{"id":"a+9 10:a:t 0","subprotocol":"0.0.0","time":a+9}}
`,
	},
	{
		scenes: []string{"resume/after an action was done"},
		why:    "an outcome that a client missed it gets when it comes back",
		lines: `
- b nothing comes
+ b< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
	{
		scenes: []string{"resume/a client that has seen more than there is"},
		why:    "outcomes have numbers of their own, whatever the client says it has seen",
		lines: `
- a< ["sync",1000,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
+ a< ["sync",0,{"id":"a+1 10:a:t 0","type":"logux/processed"},{"id":now,"subprotocol":"1.2.0","time":now}]
`,
	},
}
