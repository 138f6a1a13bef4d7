// The messages of a room on the page: a list that follows the latest one, and grows upwards on demand.

import { $, attempt, avatar, bytesText, clone, fill } from './dom.js';

const TOGETHER = 5 * 60_000; // ms between messages of one author that are shown as one block
const AT_END = 60; // px from the end, within which one is at the end

const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

const dayOf = (date) => new Date(date).toDateString();

function dayText(date) {
  const now = new Date();
  if (dayOf(date) === now.toDateString()) return 'Today';
  now.setDate(now.getDate() - 1);
  return dayOf(date) === now.toDateString() ? 'Yesterday' : day.format(date);
}

/** Writes a text in which the parts that somebody looked for are marked. */
function setText(element, text, wanted) {
  if (!wanted) {
    if (element.textContent !== text) element.textContent = text;
    return;
  }
  const parts = [];
  const small = text.toLowerCase();
  let at = 0;
  for (let found; (found = small.indexOf(wanted.toLowerCase(), at)) >= 0; at = found + wanted.length) {
    const mark = document.createElement('mark');
    mark.textContent = text.slice(found, found + wanted.length);
    parts.push(text.slice(at, found), mark);
  }
  element.replaceChildren(...parts, text.slice(at));
}

export class Log {
  #rooms;
  #actions;
  #room = null;
  #isAtEnd = true;
  #lastSeen = 0; // id of the last message when one was at the end

  /** `actions` are what is done to a message: edit, remove, download, and isMine and mayRemove to ask. */
  constructor(rooms, actions) {
    this.#rooms = rooms;
    this.#actions = actions;
    $('log').addEventListener('scroll', () => this.#scrolled());
    $('older').addEventListener('click', () => this.#older());
    $('to-end').addEventListener('click', () => this.toEnd());
    new ResizeObserver(() => this.#isAtEnd && this.toEnd()).observe($('log'));
  }

  render(room) {
    if (room !== this.#room) {
      this.#room = room;
      this.#isAtEnd = true;
      $('messages').replaceChildren();
    }
    const log = $('log');
    const fromEnd = log.scrollHeight - log.scrollTop;
    const first = $('messages').firstElementChild?.dataset.key;
    this.#fill($('messages'), room.messages);
    $('older').hidden = !room.isLoaded || room.isWhole;
    $('beginning').hidden = !room.isLoaded || !room.isWhole;
    if (this.#isAtEnd) {
      this.toEnd();
    } else {
      const hasGrown = $('messages').firstElementChild?.dataset.key !== first;
      if (hasGrown) log.scrollTop = log.scrollHeight - fromEnd; // what one reads stays where it is
      $('to-end').hidden = !(room.last?.id > this.#lastSeen);
    }
  }

  /** Shows messages that were looked for. */
  renderFound(messages, wanted) {
    $('found-messages').replaceChildren();
    this.#fill($('found-messages'), messages, wanted);
  }

  toEnd() {
    $('log').scrollTop = $('log').scrollHeight;
    this.#isAtEnd = true;
    this.#lastSeen = this.#room?.last?.id ?? 0;
    $('to-end').hidden = true;
  }

  #scrolled() {
    const log = $('log');
    this.#isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < AT_END;
    if (this.#isAtEnd) {
      this.#lastSeen = this.#room?.last?.id ?? 0;
      $('to-end').hidden = true;
    }
    if (log.scrollTop < AT_END && !this.#isAtEnd) this.#older();
  }

  async #older() {
    if ($('older').disabled) return;
    $('older').disabled = true;
    this.#isAtEnd = false;
    await attempt(() => this.#rooms.older(this.#room));
    $('older').disabled = false;
  }

  #fill(list, messages, wanted = '') {
    const keyOf = (message) => message.id;
    const make = (message) => this.#make(message);
    fill(list, messages, keyOf, make, (element, message, before) => this.#update(element, message, before, wanted));
  }

  #make(message) {
    const [element, find] = clone('message-item');
    find('time').textContent = time.format(message.date);
    find('time').dateTime = new Date(message.date).toISOString();
    find('time').title = full.format(message.date);
    find('.day').textContent = dayText(message.date);
    find('.text').hidden = Boolean(message.file);
    find('.file').hidden = !message.file;
    if (message.file) {
      find('.file-name').textContent = message.file.name;
      find('.file-size').textContent = bytesText(message.file.size);
      find('.file').title = `Download ${message.file.name}`;
    }
    const on = (selector, run) => (find(selector).onclick = () => run(this.#current(message)));
    on('.file', this.#actions.download);
    on('.edit', this.#actions.edit);
    on('.delete', this.#actions.remove);
    return element;
  }

  // A message that was edited, or came again after a time without a connection, is another object.
  #current(message) {
    return this.#room.messages.find(({ id }) => id === message.id) ?? message;
  }

  #update(element, message, before, wanted) {
    const find = (selector) => element.querySelector(selector);
    const isMine = this.#actions.isMine(message);
    const isNewDay = !before || dayOf(before.date) !== dayOf(message.date);
    const goesOn = !isNewDay && before.user === message.user && message.date - before.date < TOGETHER;
    element.classList.toggle('mine', isMine);
    element.classList.toggle('goes-on', goesOn);
    const name = this.#rooms.nameOf(message.user);
    if (find('.author').textContent !== name) {
      find('.author').textContent = name;
      avatar(find('.avatar'), name);
    }
    setText(find('.text'), message.text, wanted);
    find('.day').hidden = !isNewDay;
    find('.edited').hidden = !message.isEdited;
    find('.edit').hidden = !isMine || Boolean(message.file);
    find('.delete').hidden = !this.#actions.mayRemove(message);
  }
}
