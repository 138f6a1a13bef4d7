// Where one writes: new messages, changes of old ones, and files.

import { MAX_TEXT, byteLength, strip } from './chat.js';
import { $, attempt, notify } from './dom.js';

const WARN = 100; // bytes before the limit, from which on one is told how many are left

export class Composer {
  #chat;
  #rooms;
  #room = null; // whose draft is in the field
  #edited = null; // the message that is being edited
  #isSending = false; // a file

  constructor(chat, rooms) {
    this.#chat = chat;
    this.#rooms = rooms;
    $('text').addEventListener('input', () => this.#measure());
    $('text').addEventListener('keydown', (event) => this.#key(event));
    $('text').addEventListener('paste', (event) => this.#files(event, event.clipboardData.files));
    document.addEventListener('dragover', (event) => event.preventDefault());
    document.addEventListener('drop', (event) => this.#files(event, event.dataTransfer.files));
    $('stop-editing').addEventListener('click', () => this.stopEditing());
    $('file').addEventListener('change', (event) => {
      this.#files(event, [...event.target.files]);
      event.target.value = '';
    });
    $('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      attempt(() => this.#send());
    });
  }

  render() {
    const room = this.#rooms.current;
    if (room !== this.#room) {
      if (this.#room && !this.#edited) this.#room.draft = $('text').value;
      this.#room = room;
      this.#edited = null;
      this.#write(room?.draft ?? '');
    }
    $('editing').hidden = !this.#edited;
    const isReady = this.#chat.state === 'in' && Boolean(room?.isLoaded);
    $('send').disabled = !isReady;
    $('file').disabled = !isReady || this.#isSending || Boolean(this.#edited);
    $('attach').classList.toggle('busy', this.#isSending);
  }

  edit(message) {
    if (this.#room && !this.#edited) this.#room.draft = $('text').value;
    this.#edited = message;
    this.#write(message.text);
    this.render();
    $('text').focus();
  }

  stopEditing() {
    if (!this.#edited) return;
    this.#edited = null;
    this.#write(this.#room?.draft ?? '');
    this.render();
  }

  #write(text) {
    $('text').value = text;
    this.#measure();
  }

  #measure() {
    const field = $('text');
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight}px`;
    const left = MAX_TEXT - byteLength(strip(field.value));
    $('left').textContent = left < 0 ? `${-left} bytes too long` : left < WARN ? `${left} bytes left` : '';
    $('left').classList.toggle('bad', left < 0);
  }

  #key(event) {
    const isPhone = matchMedia('(pointer: coarse)').matches; // whose keyboards have no shift with return
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && !isPhone) {
      event.preventDefault();
      if (!$('send').disabled) $('composer').requestSubmit();
    } else if (event.key === 'Escape') {
      this.stopEditing();
    } else if (event.key === 'ArrowUp' && !event.target.value && this.#room) {
      const own = this.#room.messages.findLast(({ user, file }) => user === this.#chat.user && !file);
      if (!own) return;
      event.preventDefault();
      this.edit(own);
    }
  }

  async #send() {
    const room = this.#room;
    const edited = this.#edited;
    const text = strip($('text').value);
    if (!text) return;
    if (byteLength(text) > MAX_TEXT) throw new Error(`A message may have ${MAX_TEXT} bytes at most.`);
    if (edited) {
      await this.#chat.edit(room.id, edited.id, text);
      if (this.#edited === edited) this.stopEditing();
      return;
    }
    room.draft = '';
    this.#write('');
    try {
      await this.#chat.say(room.id, text);
    } catch (err) {
      if (this.#room === room && !$('text').value) this.#write(text); // to be sent again
      throw err;
    }
  }

  async #files(event, files) {
    if (files.length === 0) return; // a text was pasted
    event.preventDefault();
    const room = this.#room;
    if (!room || $('file').disabled) return;
    this.#isSending = true;
    this.render();
    await attempt(async () => {
      for (const file of files) {
        notify(`Sending ${file.name}…`);
        await this.#chat.upload(room.id, file);
      }
      notify('');
    });
    this.#isSending = false;
    this.render();
  }
}
