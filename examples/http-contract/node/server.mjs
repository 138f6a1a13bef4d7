// A back-end for Bridge in Node, with nothing but its standard library.
//
//   BRIDGE_HOOK_SECRET=… PORT=3000 node server.mjs
//
// The contract is docs/http-contract.md.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const SECRET = process.env.BRIDGE_HOOK_SECRET
const PORT = Number(process.env.PORT || 3000)
const MAX_BODY = 8 * 1024 * 1024
const TOLERANCE = 5 * 60 // seconds

if (!SECRET) {
  console.error('BRIDGE_HOOK_SECRET is not set')
  process.exit(1)
}

// What Bridge asks, and what it is answered.
const events = {
  authorize({ token }) {
    if (token !== 'good-token') return { error: 'Wrong credentials' }
    return { user_id: '38', claims: { name: 'Ada' }, channels: ['user/38'] }
  },

  message({ type, payload }) {
    if (type !== 'sum') return { error: 'Unknown type' }
    if (typeof payload?.a !== 'number' || typeof payload?.b !== 'number') {
      return { error: 'a and b must be numbers' }
    }
    return { payload: { sum: payload.a + payload.b } }
  },

  subscribe({ user_id, channel }) {
    const own = user_id !== undefined && channel === `user/${user_id}`
    return { allow: channel === 'news' || own }
  },

  closed() {} // forget what you keep for the session
}

// signed reports whether Bridge made this request, not long ago.
function signed(header, body) {
  let time = ''
  const sums = []
  for (const part of (header ?? '').split(',')) {
    const [name, value] = part.trim().split('=')
    if (name === 't') time = value ?? ''
    if (name === 'v1') sums.push(Buffer.from(value ?? '', 'hex'))
  }
  if (!/^\d+$/.test(time)) return false
  if (Math.abs(Date.now() / 1000 - Number(time)) > TOLERANCE) return false
  const want = createHmac('sha256', SECRET).update(`${time}.`).update(body).digest()
  return sums.some(sum => sum.length === want.length && timingSafeEqual(sum, want))
}

function handle(request, body) {
  // 400, not 401 or 403: those would tell the client that it is refused.
  if (!signed(request.headers['bridge-signature'], body)) return [400, 'Wrong signature']
  let question
  try {
    question = JSON.parse(body)
  } catch {
    return [400, 'Wrong body']
  }
  if (question === null || typeof question !== 'object') return [400, 'Wrong body']
  const answer = Object.hasOwn(events, question.event) ? events[question.event] : () => ({ error: 'Unknown event' })
  const said = answer(question)
  return said === undefined ? [204] : [200, JSON.stringify(said)]
}

const server = createServer((request, response) => {
  const end = (status, text = '') => {
    response.writeHead(status, text.startsWith('{') ? { 'Content-Type': 'application/json' } : {})
    response.end(text)
  }
  if (request.method !== 'POST') {
    request.resume()
    end(405, 'Wrong method')
    return
  }
  const pieces = []
  let size = 0
  request.on('data', piece => {
    size += piece.length
    if (size <= MAX_BODY) pieces.push(piece)
  })
  request.on('end', () => {
    if (size > MAX_BODY) end(413, 'Too large')
    else end(...handle(request, Buffer.concat(pieces)))
  })
})

// Longer than Bridge keeps a connection that it does not use: so it is Bridge that closes it.
server.keepAliveTimeout = 70_000
server.listen(PORT, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${PORT}/`))
