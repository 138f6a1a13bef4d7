// Runs Logux servers of the past for a test. Each line of stdin is a command, each line of stdout what
// came of it:
//
//   {"start": NAME, "package": PACKAGE, "options": {...}} → ["listening", NAME, port, control port]
//
// PACKAGE is a folder of node_modules; options are those of its BaseServer. The ports are free ones.
// Where control has no port of its own, it is the same. The end of stdin ends the process, and so does
// what ends a server in the field: an error that nobody caught.

import http from 'node:http'
import { createInterface } from 'node:readline'

const tell = (...event) => process.stdout.write(JSON.stringify(event) + '\n')

// The servers make theirs by this, and do not say which ports they got.
const made = []
const createServer = http.createServer
http.createServer = (...args) => {
  const server = createServer(...args)
  made.push(server)
  return server
}

async function start({ start: name, package: from, options }) {
  const module = await import(from)
  const { BaseServer } = module.default?.BaseServer ? module.default : module
  made.length = 0
  // '0' is a free port, where 0 would be the default.
  const server = new BaseServer({ host: '127.0.0.1', port: '0', controlPort: '0', ...options })
  server.on('error', (error) => process.stderr.write(`${name}: ${error.stack}\n`))
  await server.listen()
  const ports = made.map((i) => i.address().port)
  tell('listening', name, ports[0], ports.at(-1))
}

const lines = createInterface({ input: process.stdin })
for await (const line of lines) {
  await start(JSON.parse(line))
}
process.exit(0)
