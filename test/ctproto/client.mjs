// A client of CTProto that behaves as the original JavaScript client does, on the libraries that it is
// built on. What looks odd here is what it does: requests never time out and are never forgotten, a
// message with a type goes to onMessage whoever it answers, and only send() reconnects after a close.

import { nanoid } from 'nanoid'
import WebSocket from 'ws'

const idLength = 10
const retryAfter = 5000 // ms, after a connection error
const retries = 5 // in the life of the client

export class Client {
  #options
  #socket
  #queue = [] // of what was sent before the socket was open
  #pending = [] // { id, resolve }; nothing is ever taken out
  #retries = retries

  // options: url, authPayload, onAuth(payload), onMessage(message), log(...)
  constructor(options) {
    this.#options = options
    this.#connect()
  }

  // send resolves with the payload of the response, if one ever comes.
  send(type, payload) {
    return new Promise((resolve) => {
      const entry = { type, payload, resolve }
      switch (this.#socket.readyState) {
        case WebSocket.OPEN: // even before the authorization is answered
          this.#write(entry)
          break
        case WebSocket.CLOSED:
          this.#queue.push(entry)
          this.#connect()
          break
        default:
          this.#queue.push(entry)
      }
    })
  }

  close() {
    this.#socket.close(1000)
  }

  #connect() {
    const { url, authPayload, onAuth, log } = this.#options
    const socket = new WebSocket(url)
    this.#socket = socket
    socket.on('open', () => {
      const authorized = (payload) => {
        onAuth(payload)
        for (const entry of this.#queue.splice(0)) this.#write(entry)
      }
      this.#write({ type: 'authorize', payload: authPayload, resolve: authorized })
    })
    socket.on('message', (data) => this.#read(data.toString()))
    socket.on('close', (code, reason) => log('close', code, reason))
    socket.on('error', (error) => {
      log('error', error.message)
      if (this.#retries-- > 0) setTimeout(() => this.#connect(), retryAfter)
    })
  }

  #write({ type, payload, resolve }) {
    const messageId = nanoid(idLength)
    this.#pending.push({ id: messageId, resolve })
    this.#socket.send(JSON.stringify({ type, payload, messageId }))
  }

  #read(text) {
    let message
    try {
      message = JSON.parse(text)
    } catch {
      message = undefined
    }
    if (typeof message !== 'object' || message === null) {
      this.#options.log('ignored', text)
      return
    }
    if ('type' in message) this.#options.onMessage(message)
    for (const { id, resolve } of this.#pending) {
      if (id === message.messageId) resolve(message.payload)
    }
  }
}
