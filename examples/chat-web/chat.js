// The chat protocol: accounts, rooms, messages and files, without a page. Constants are written by their
// names, and the server answers alike.
//
// Each frame from the server is an event "frame" with the frame in `detail`, each change of `state` an event
// "state".

import { Connection, Lost } from './connection.js';

const PIECE = 512 << 10; // bytes of an upload in one frame

export const MAX_FILE = 10_000_000; // bytes
export const MAX_TEXT = 800; // bytes of UTF-8, of a message or a description
export const MAX_NAME = 100; // bytes of UTF-8, of a room's name

const sentences = {
  ER_AUTH_DATA: 'Login or password is wrong.',
  ER_USER_EXST: 'This login is taken. Please choose another one.',
  ER_CLI_EXST: 'This login is in use on another connection.',
  ER_FORBIDDEN: 'You may not do that here.',
  ER_NOT_FOUND: 'It is not there any more.',
  ER_NOT_AUTH: 'Please log in first.',
  ER_INTERNAL: 'The server has trouble. Please try again in a moment.',
};

/** What the server does not do, in words for people. */
export class Refusal extends Error {
  constructor({ error_code: code, msg }) {
    super(sentences[code] ?? `${msg}.`);
    this.code = code;
  }
}

const LOG_INS = ['RQ_LOG_IN', 'RQ_SIGN_UP', 'RQ_TOKEN']; // their refusals do not say what they refuse

/** SHA-256 of a text, in hex: what the server gets to see of a password. */
export async function sha256(text) {
  if (!globalThis.crypto?.subtle) {
    throw new Error('A password can be sent from an https page or from this machine (localhost) only.');
  }
  const sum = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The name for people in a file message's text, which is `files/ID__NAME`. */
export function fileName(text) {
  return text.slice(text.indexOf('__') + 2);
}

/** How many bytes of UTF-8 a text has: what the limits count. */
export function byteLength(text) {
  return new TextEncoder().encode(text).length;
}

/** A text without the white space around it that the server takes off. */
export function strip(text) {
  return text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '');
}

export class Chat extends Connection {
  /** "connecting", "out" (connected, nobody logged in), "elsewhere" (the login is in use) or "in". */
  state = 'connecting';
  token;
  login = '';
  user = 0; // id of who is logged in; 0 until an answer says it

  #transfers = Promise.resolve(); // the server takes one at a time
  #download = null;

  /** With a token it logs in by it, on every connection. */
  constructor(url, token = '') {
    super(url);
    this.token = token;
  }

  async signUp(login, password) {
    await this.#enter({ type: 'RQ_SIGN_UP', login, pass: await sha256(password), name: '', desc: '' });
  }

  async logIn(login, password) {
    await this.#enter({ type: 'RQ_LOG_IN', login, pass: await sha256(password), name: '', desc: '' });
  }

  /** Logs out, here at least: the token is forgotten also when the server does not hear of it. */
  async logOut() {
    const { token, state } = this;
    this.#forget();
    try {
      if (state === 'in') await this.ask({ type: 'RQ_LOG_OUT', token });
    } finally {
      this.#become(this.isOpen ? 'out' : 'connecting');
    }
  }

  async rooms() {
    return (await this.ask({ type: 'RQ_GET_ROOMS', date: 0 })).rooms;
  }

  async findRooms(beginning) {
    return (await this.ask({ type: 'RQ_SEARCH_CH', name: beginning })).rooms;
  }

  // An object here has a key once, so the room's type is not a second `type`.
  newRoom(name, desc) {
    return this.ask({ type: 'RQ_NEW_ROOM', name, desc, room_type: 'DB_GLOBAL_CHAT' });
  }

  rename(room, name) {
    return this.#change({ type: 'RQ_UPD_ROOM_NAME', room_id: room, room_name: name });
  }

  describe(room, desc) {
    return this.#change({ type: 'RQ_UPD_ROOM_DESC', room_id: room, desc });
  }

  /** Deletes all messages of a room. */
  clearRoom(room) {
    return this.#change({ type: 'RQ_DEL_HIST', room_id: room });
  }

  deleteRoom(room) {
    return this.#change({ type: 'RQ_DEL_ROOM', room_id: room });
  }

  join(room) {
    return this.ask({ type: 'RQ_JOIN_ROOM', room_id: room });
  }

  async members(room) {
    const own = (f) => f.type === 'RQ_GET_MEMBERS' && f.room_id === room;
    return (await this.ask({ type: 'RQ_GET_MEMBERS', room_id: room }, own)).members;
  }

  info(user) {
    return this.ask({ type: 'RQ_MEMBER_INFO', user_id: user });
  }

  ban(room, user) {
    return this.#change({ type: 'RQ_BAN_MEMBER', room_id: room, user_id: user });
  }

  /** Messages newer than a date, newest first; of more than `count` the newest. */
  async newer(room, date, count) {
    const own = (f) => f.type === 'RQ_GET_NEW_MSGS' && f.room_id === room;
    return (await this.ask({ type: 'RQ_GET_NEW_MSGS', room_id: room, date, count }, own)).messages;
  }

  /** Messages older than a date, newest first. */
  async older(room, date, count) {
    const own = (f) => f.type === 'RQ_OLD_MSGS' && f.room_id === room;
    return (await this.ask({ type: 'RQ_OLD_MSGS', room_id: room, date, count }, own)).messages;
  }

  /** Messages whose text contains something, oldest first. */
  async search(room, text) {
    return (await this.ask({ type: 'RQ_SEARCH_MSGS', room_id: room, msg: text })).msgs;
  }

  /** Says something in a room; `user` has to be known by then, from the room's members. */
  say(room, text) {
    const own = (f) => f.type === 'RQ_MSG' && f.msg_type === 'DB_TEXT_MSG' && this.#isOwn(f, room);
    return this.ask({ type: 'RQ_MSG', room_id: room, message: text, msg_type: 'DB_TEXT_MSG' }, own);
  }

  edit(room, message, text) {
    return this.#change({ type: 'RQ_EDIT_MSG', room_id: room, msg_id: message, msg: text });
  }

  remove(room, message) {
    return this.#change({ type: 'RQ_DEL_MSG', room_id: room, msg_id: message });
  }

  /** Sends a File; `user` has to be known by then. */
  async upload(room, file) {
    if (file.size > MAX_FILE) throw new Error('A file may have 10 MB at most.');
    const bytes = await file.arrayBuffer();
    return this.#transfer(async () => {
      const request = { type: 'RQ_UPLOAD_FILE', room_id: room, name: file.name, size: bytes.byteLength };
      await this.ask(request, (f) => f.type === 'RQ_READY_READ');
      const own = (f) => f.type === 'RQ_MSG' && f.msg_type === 'DB_FILE_MSG' && this.#isOwn(f, room);
      const said = this.expect([request.type], own);
      let refused = false;
      said.promise.catch(() => (refused = true));
      for (let at = 0; at < bytes.byteLength && !refused; at += PIECE) {
        await this.sendBytes(bytes.slice(at, at + PIECE));
      }
      return said.promise;
    });
  }

  /** The bytes of a file message, as a Blob. */
  download(room, message) {
    return this.#transfer(async () => {
      const { size } = await this.ask({ type: 'RQ_DOWNLOAD_FILE', room_id: room, msg_id: message });
      const whole = this.expect(['RQ_DOWNLOAD_FILE', 'RQ_READY_READ'], () => false);
      whole.promise.catch(() => (this.#download = null));
      this.#download = { whole, size, have: 0, parts: [] };
      this.send({ type: 'RQ_READY_READ' });
      if (size === 0) this.receivedBytes(new ArrayBuffer(0));
      return whole.promise;
    });
  }

  opened() {
    if (this.token) this.#resume();
    else this.#become('out');
  }

  lost() {
    this.#download = null;
    this.#become('connecting');
  }

  received(frame) {
    if (frame.type === 'RQ_ERROR_MSG') {
      const requests = frame.request ? [frame.request] : LOG_INS;
      this.take((a) => a.requests.some((r) => requests.includes(r)))?.reject(new Refusal(frame));
      return;
    }
    this.well();
    this.#learnUser(frame);
    this.take((a) => a.isAnswer(frame))?.resolve(frame);
    this.dispatchEvent(new CustomEvent('frame', { detail: frame }));
  }

  receivedBytes(bytes) {
    const download = this.#download;
    if (!download) return;
    download.parts.push(bytes);
    download.have += bytes.byteLength;
    this.prolong(download.whole);
    if (download.have < download.size) return;
    this.#download = null;
    this.take((a) => a === download.whole)?.resolve(new Blob(download.parts));
  }

  // A change in a room is answered by what everybody there is told, which repeats the request's ids.
  #change(request) {
    const ids = ['type', 'room_id', 'msg_id', 'user_id'].filter((key) => key in request);
    return this.ask(request, (frame) => ids.every((key) => frame[key] === request[key]));
  }

  #isOwn(frame, room) {
    return frame.room_id === room && frame.user_id === this.user;
  }

  // The answer to a log-in does not say which user one is; these do.
  #learnUser(frame) {
    if (frame.type === 'RQ_NEW_ROOM') this.user = frame.customer_id;
    if (frame.type === 'RQ_NEW_MEMBER' && frame.login === this.login) this.user = frame.user_id;
    if (frame.type === 'RQ_GET_MEMBERS') this.user = frame.members.find((m) => m.login === this.login)?.id ?? this.user;
  }

  #transfer(run) {
    const result = this.#transfers.then(run);
    this.#transfers = result.catch(() => {});
    return result;
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  async #enter(request) {
    await this.connected();
    this.#entered(await this.ask(request, (f) => f.type === 'RQ_TOKEN'));
  }

  #entered({ token, login }) {
    Object.assign(this, { token, login });
    this.#become('in');
  }

  #forget() {
    this.token = this.login = '';
    this.user = 0;
  }

  // For a moment the login may still be held by the connection that was before this one.
  async #resume() {
    const { token } = this;
    try {
      this.#entered(await this.ask({ type: 'RQ_TOKEN', token }));
    } catch (err) {
      if (err instanceof Lost || this.token !== token) return; // the next connection does it, or nobody
      if (err.code === 'ER_CLI_EXST') {
        const again = () => (this.isOpen && this.token === token ? this.#resume() : this.connect());
        if (this.later(again) > 4) this.#become('elsewhere');
      } else if (err.code === 'ER_AUTH_DATA') {
        this.#forget();
        this.#become('out');
      } else {
        this.lose();
      }
    }
  }
}
