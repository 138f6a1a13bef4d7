// Runs a client for a test: node run.mjs URL AUTH_PAYLOAD [FIRST]. What is sent is a {"type","payload"}:
// FIRST before the socket can be open, and each line of stdin as it comes. Each line of stdout is
// something that the application was told: ["auth", payload], ["message", message],
// ["response", type, payload], ["close", code, reason], ["error", text], ["ignored", text]. The end of
// stdin closes the connection.

import { createInterface } from 'node:readline'

import { Client } from './client.mjs'

const tell = (...event) => process.stdout.write(JSON.stringify(event) + '\n')

const [url, authPayload, first] = process.argv.slice(2)
const client = new Client({
  url,
  authPayload: JSON.parse(authPayload),
  onAuth: (payload) => tell('auth', payload),
  onMessage: (message) => tell('message', message),
  log: tell
})

const send = ({ type, payload }) =>
  client.send(type, payload).then((answer) => tell('response', type, answer))

if (first !== undefined) send(JSON.parse(first))

createInterface({ input: process.stdin })
  .on('line', (line) => send(JSON.parse(line)))
  .on('close', () => client.close())
