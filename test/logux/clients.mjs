// Runs Logux clients for a test: node clients.mjs PACKAGE, a folder of node_modules. Each line of stdin
// is a command:
//
//   {"client": NAME, "do": "start", "options": {...}}  make it, with its constructor's options, and connect
//   {"client": NAME, "do": "sync", "action": {...}}    send an action and wait for what becomes of it
//   {"client": NAME, "do": "headers", "headers": {...}}
//   {"client": NAME, "do": "cut"}                      end the connection as a network does
//
// Each line of stdout is something that the application is told: [NAME, "state", state],
// [NAME, "add", action] for what came from the server, [NAME, "processed", action] and
// [NAME, "undone", action, reason] for what became of one that was sent, [NAME, "error", text].

import { createInterface } from 'node:readline'

import WebSocket from 'ws'

globalThis.WebSocket = WebSocket
const { Client } = await import(process.argv[2])

// With the option clientId a client is a tab of one that has it too.
class Tab extends Client {
  getClientId() {
    return this.options.clientId ?? super.getClientId()
  }
}

const tell = (...event) => process.stdout.write(JSON.stringify(event) + '\n')

const clients = {}

function start(name, options) {
  const client = new Tab({ allowDangerousProtocol: true, ...options })
  clients[name] = client
  client.node.catch((error) => tell(name, 'error', error.message))
  let told
  client.on('state', () => {
    if (client.state !== told) tell(name, 'state', (told = client.state))
  })
  client.on('add', (action, meta) => {
    if (!meta.sync) tell(name, 'add', action)
  })
  client.start()
}

const commands = {
  start: (name, { options }) => start(name, options),
  sync: (name, { action }) =>
    clients[name].sync(action).then(
      () => tell(name, 'processed', action),
      (error) => tell(name, 'undone', action, error.action?.reason ?? error.message)
    ),
  headers: (name, { headers }) => clients[name].node.setLocalHeaders(headers),
  cut: (name) => clients[name].node.connection.connection.ws.terminate()
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  commands[command.do](command.client, command)
}
process.exit(0)
