// Package admin is the operator's HTTP: is the process alive, is it ready, how are the plugins, who is
// connected, and what to do about it. It owns the address, the control socket and the forms of
// questions and answers; what they say and do comes from the functions of [Config]. It imports nothing
// of core, and no client of a protocol ever comes here.
//
//	GET  /health                   200 while the process lives
//	GET  /ready                    200, or 503 with the reasons
//	GET  /metrics                  in the form that Prometheus reads
//	GET  /api/status               a [Status]
//	GET  /api/plugins              a list of [PluginStatus]
//	GET  /api/sessions             a [SessionPage]; user, realm, plugin, route, channel, limit, after
//	GET  /api/sessions/ID          a [SessionStatus]
//	POST /api/sessions/close       a [CloseRequest], answered {"closed": n}
//	POST /api/sessions/ID/log      {"seconds": n}: logs what happens to the session for so long
//	POST /api/publish              a [PublishRequest], answered {"receivers": n}
//	GET  /api/log-level            {"level": "info"}
//	POST /api/log-level            the same, at the control socket only
//	POST /api/reload               {}, answered with [Reloaded]; at the control socket only
//
// What is posted is JSON of at most 1 MiB without members that are not known. A refusal is a line of
// text that says what is wrong.
package admin
