// The list of rooms: one's own, those one may join, and the way to a new one.

import { MAX_NAME, MAX_TEXT, byteLength } from './chat.js';
import { $, askRoom, attempt, avatar, clone, fill } from './dom.js';

const PAUSE = 250; // ms without a key until the server is asked

export class Sidebar {
  #chat;
  #rooms;
  #found = [];
  #timer = 0;

  constructor(chat, rooms) {
    this.#chat = chat;
    this.#rooms = rooms;
    $('find').addEventListener('input', () => this.#find());
    $('new-room').addEventListener('click', () => this.#make());
    for (const [id, limit] of [['new-name', MAX_NAME], ['new-desc', MAX_TEXT]]) {
      $(id).addEventListener('input', ({ target }) => {
        target.setCustomValidity(byteLength(target.value) > limit ? 'This is too long.' : '');
      });
    }
  }

  render() {
    const wanted = $('find').value.trim().toLowerCase();
    const own = this.#rooms.all.filter(({ name }) => name.toLowerCase().includes(wanted));
    const found = this.#found.filter(({ id }) => !this.#rooms.get(id));
    fill($('rooms'), own, ({ id }) => id, (room) => this.#item(room), (element, room) => this.#update(element, room));
    fill($('found-rooms'), found, ({ id }) => id, (room) => this.#foundItem(room), () => {});
    $('found').hidden = found.length === 0;
    $('no-rooms').hidden = own.length + found.length > 0;
    $('no-rooms').textContent = wanted
      ? 'No room’s name begins like that.'
      : 'You are in no room yet. Find one by the beginning of its name, or make one with the plus.';
  }

  #item(room) {
    const [element, find] = clone('room-item');
    find('a').href = `#${room.id}`;
    return element;
  }

  #update(element, room) {
    const find = (selector) => element.querySelector(selector);
    avatar(find('.avatar'), room.name);
    find('.name').textContent = room.name;
    find('.last').textContent = room.last ? (room.last.file?.name ?? room.last.text) : room.desc;
    find('.unread').textContent = room.unread;
    find('.unread').hidden = room.unread === 0;
    find('.unread').setAttribute('aria-label', `${room.unread} unread`);
    if (room === this.#rooms.current) find('a').setAttribute('aria-current', 'page');
    else find('a').removeAttribute('aria-current');
  }

  #foundItem(room) {
    const [element, find] = clone('found-item');
    avatar(find('.avatar'), room.name);
    find('.name').textContent = room.name;
    find('.last').textContent = room.desc;
    find('.join').setAttribute('aria-label', `Join ${room.name}`);
    find('.join').onclick = () => this.#join(room);
    return element;
  }

  #find() {
    clearTimeout(this.#timer);
    const wanted = $('find').value.trim();
    if (!wanted) this.#found = [];
    else this.#timer = setTimeout(() => this.#ask(wanted), PAUSE);
    this.render();
  }

  async #ask(wanted) {
    const found = await attempt(() => this.#chat.findRooms(wanted));
    if (!found || wanted !== $('find').value.trim()) return;
    this.#found = found;
    this.render();
  }

  async #join(room) {
    if (await attempt(() => this.#chat.join(room.id))) this.#enter(room.id);
  }

  async #make() {
    const wanted = await askRoom('New room', 'Make room', { name: '', desc: '' });
    const room = wanted && (await attempt(() => this.#chat.newRoom(wanted.name, wanted.desc)));
    if (room) this.#enter(room.id);
  }

  #enter(id) {
    $('find').value = '';
    this.#found = [];
    location.hash = id;
  }
}
