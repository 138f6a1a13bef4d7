// What one knows of one's rooms: messages, members and who has which name. It follows what the server tells,
// and catches up after a time without a connection. Each change is an event "change"; a room that one is not
// in any more is an event "gone" first.

import { fileName } from './chat.js';
import { Lost } from './connection.js';

const PAGE = 30; // messages
const CATCH_UP = 500; // messages; the most that the server gives at once

const roles = { DB_CUSTOMER: 'Owner', DB_ADMIN: 'Admin', DB_MODERATOR: 'Moderator', DB_SIMPLE: '' };

const messageOf = (frame) => ({
  id: frame.message_id,
  user: frame.user_id,
  date: frame.date,
  text: frame.message,
  isEdited: frame.status === 'DB_MSG_EDIT',
  file:
    frame.msg_type === 'DB_FILE_MSG' || frame.msg_type === 'DB_FILE_TEXT_MSG'
      ? { name: frame.file_name || fileName(frame.message), size: frame.file_size || frame.power }
      : null,
});

class Room {
  messages = []; // oldest first
  members = [];
  unread = 0;
  draft = '';
  isLoaded = false; // messages and members
  isWhole = false; // messages has the first one of all
  #deleted = new Set(); // ids of messages that a page on its way may still have

  constructor({ id, name, desc, customer_id: owner, date }) {
    Object.assign(this, { id, name, desc, owner, date });
  }

  get last() {
    return this.messages.at(-1);
  }

  add(message) {
    if (this.#deleted.has(message.id) || this.messages.some(({ id }) => id === message.id)) return false;
    this.messages.push(message);
    if (this.messages.at(-2)?.date > message.date) this.messages.sort((a, b) => a.date - b.date);
    return true;
  }

  remove(id) {
    this.#deleted.add(id);
    this.messages = this.messages.filter((message) => message.id !== id);
  }

  clear() {
    for (const { id } of this.messages) this.#deleted.add(id);
    this.messages = [];
  }
}

export class Rooms extends EventTarget {
  current = null; // the room that is looked at
  #chat;
  #rooms = new Map(); // by id
  #names = new Map(); // logins by user id
  #isChanged = false;

  constructor(chat) {
    super();
    this.#chat = chat;
    chat.addEventListener('frame', ({ detail }) => this.#heard(detail));
  }

  /** All of them, the one with the latest message first. */
  get all() {
    const latest = (room) => room.last?.date ?? room.date;
    return [...this.#rooms.values()].sort((a, b) => latest(b) - latest(a));
  }

  get unread() {
    return this.all.reduce((sum, room) => sum + room.unread, 0);
  }

  get(id) {
    return this.#rooms.get(id);
  }

  /** The login of a user; where it is not known yet, a change will tell. */
  nameOf(user) {
    if (!this.#names.has(user)) {
      this.#names.set(user, '…');
      this.#chat.info(user).then(
        ({ login }) => this.#name(user, login),
        (err) => err instanceof Lost && this.#names.delete(user), // to be asked again
      );
    }
    return this.#names.get(user);
  }

  /** Forgets all, for somebody else. */
  clear() {
    this.#rooms.clear();
    this.#names.clear();
    this.current = null;
    this.#change();
  }

  /** Asks for the rooms, and for what happened in those that were looked at, deletions and edits too. */
  async refresh() {
    const listed = await this.#chat.rooms();
    const ids = new Set(listed.map(({ id }) => id));
    for (const id of this.#rooms.keys()) if (!ids.has(id)) this.#leave(id);
    for (const room of listed) this.#enter(room);
    this.#change();
    await Promise.all(this.all.filter((room) => room.isLoaded).map((room) => this.#load(room)));
  }

  /** Looks at a room, or with null at none. */
  async open(room) {
    this.current = room;
    if (room) room.unread = 0;
    this.#change();
    if (room && !room.isLoaded) await this.#load(room);
  }

  /** Adds the page of messages before those that are here. */
  async older(room) {
    const before = room.messages[0]?.date;
    if (!before || room.isWhole) return;
    const page = await this.#chat.older(room.id, before, PAGE);
    if (room.messages[0]?.date !== before) return; // it was loaded anew
    for (const message of page.map(messageOf)) room.add(message);
    room.isWhole = page.length < PAGE;
    this.#change();
  }

  async search(room, text) {
    return (await this.#chat.search(room.id, text)).map(messageOf);
  }

  // Messages that are here are asked for again, since they may have been edited or deleted meanwhile. Those
  // that come while the answer is on its way are kept.
  async #load(room) {
    const first = room.isLoaded ? room.messages[0]?.date : undefined;
    const last = room.last?.date ?? 0;
    const count = first ? CATCH_UP : PAGE;
    const newer = this.#chat.newer(room.id, first ? first - 1 : 0, count);
    const [page, members] = await Promise.all([newer, this.#chat.members(room.id)]);
    room.members = members;
    for (const { id, login } of members) this.#names.set(id, login);

    const meanwhile = room.messages.filter((message) => message.date > last);
    room.messages = [];
    for (const message of [...page.map(messageOf), ...meanwhile]) room.add(message);
    if (!first || page.length === count) room.isWhole = page.length < count;
    if (room.isLoaded && room !== this.current) room.unread += page.filter(({ date }) => date > last).length;
    room.isLoaded = true;
    this.#change();
  }

  #enter(frame) {
    const room = this.#rooms.get(frame.id);
    if (room) Object.assign(room, { name: frame.name, desc: frame.desc, owner: frame.customer_id });
    else this.#rooms.set(frame.id, new Room(frame));
  }

  #leave(id) {
    const room = this.#rooms.get(id);
    this.#rooms.delete(id);
    if (this.current === room) this.current = null;
    this.dispatchEvent(new CustomEvent('gone', { detail: room }));
  }

  #name(user, login) {
    this.#names.set(user, login);
    this.#change();
  }

  #heard(frame) {
    if (frame.type === 'RQ_NEW_ROOM' || frame.type === 'RQ_JOIN_ROOM') {
      this.#enter(frame);
      this.#change();
      return;
    }
    const room = this.#rooms.get(frame.room_id);
    const told = heard[frame.type];
    if (!room || !told) return;
    if (frame.type === 'RQ_DEL_ROOM') this.#leave(room.id);
    if (frame.type === 'RQ_NEW_MEMBER') this.#names.set(frame.user_id, frame.login);
    const isNew = told(room, frame);
    if (isNew && room !== this.current && frame.user_id !== this.#chat.user) room.unread++;
    this.#change();
  }

  // Frames come in bursts; what is shown changes once.
  #change() {
    if (this.#isChanged) return;
    this.#isChanged = true;
    queueMicrotask(() => {
      this.#isChanged = false;
      this.dispatchEvent(new Event('change'));
    });
  }
}

/** What a broadcast does to a room; true for a new message. */
const heard = {
  RQ_MSG: (room, frame) => room.add(messageOf(frame)),
  RQ_EDIT_MSG(room, { msg_id: id, msg: text }) {
    const message = room.messages.find((m) => m.id === id);
    if (message) Object.assign(message, { text, isEdited: true });
  },
  RQ_DEL_MSG: (room, { msg_id: id }) => room.remove(id),
  RQ_DEL_HIST: (room) => room.clear(),
  RQ_DEL_ROOM() {},
  RQ_UPD_ROOM_NAME: (room, { room_name: name }) => void (room.name = name),
  RQ_UPD_ROOM_DESC: (room, { desc }) => void (room.desc = desc),
  RQ_NEW_MEMBER(room, { user_id: id, login }) {
    if (!room.members.some((m) => m.id === id)) room.members.push({ id, login, type: 'DB_SIMPLE' });
  },
  RQ_BAN_MEMBER(room, { user_id: id }) {
    room.members = room.members.filter((m) => m.id !== id);
  },
};

/** What a member is, in a word; nothing for most. */
export const roleOf = ({ type }) => roles[type] ?? '';
