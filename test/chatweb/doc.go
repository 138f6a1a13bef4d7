// Package chatweb are the stories of examples/chat-web: people in Chromium, who talk through the bridge
// command and its chat plugin.
package chatweb
