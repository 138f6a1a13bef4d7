// Who is in a room, and what its owner can do about them and the room.

import { $, askRoom, attempt, avatar, clone, confirm, fill } from './dom.js';
import { roleOf } from './rooms.js';

export class Members {
  #chat;
  #rooms;

  constructor(chat, rooms) {
    this.#chat = chat;
    this.#rooms = rooms;
    $('show-members').addEventListener('click', () => {
      this.#show($('members').hidden);
      if (!$('members').hidden) $('hide-members').focus();
    });
    $('hide-members').addEventListener('click', () => this.#hide());
    $('members').addEventListener('keydown', ({ key }) => key === 'Escape' && this.#hide());
    $('edit-room').addEventListener('click', () => this.#editRoom());
    $('clear-room').addEventListener('click', () => this.#clearRoom());
    $('delete-room').addEventListener('click', () => this.#deleteRoom());
  }

  render() {
    const room = this.#rooms.current;
    if (!room) this.#show(false);
    const byName = [...(room?.members ?? [])].sort((a, b) => a.login.localeCompare(b.login));
    $('owner').hidden = !room || room.owner !== this.#chat.user;
    $('members-title').textContent = `Members · ${byName.length}`;
    const make = (member) => this.#item(member);
    fill($('member-list'), byName, ({ id }) => id, make, (element, member) => this.#update(element, member, room));
  }

  #show(isShown) {
    $('members').hidden = !isShown;
    $('show-members').setAttribute('aria-expanded', String(isShown));
    document.body.classList.toggle('has-members', isShown);
  }

  #hide() {
    this.#show(false);
    $('show-members').focus();
  }

  #item(member) {
    const [element, find] = clone('member-item');
    avatar(find('.avatar'), member.login);
    find('.name').textContent = member.login;
    find('.ban').setAttribute('aria-label', `Ban ${member.login}`);
    find('.ban').onclick = () => this.#ban(member);
    return element;
  }

  #update(element, member, room) {
    const isSelf = member.id === this.#chat.user;
    element.querySelector('.last').textContent = [roleOf(member), isSelf && 'you'].filter(Boolean).join(', ');
    element.querySelector('.ban').hidden = isSelf || room.owner !== this.#chat.user;
  }

  async #ban({ id, login }) {
    const room = this.#rooms.current;
    if (!(await confirm(`Ban ${login} from “${room.name}”? This cannot be taken back.`, 'Ban'))) return;
    await attempt(() => this.#chat.ban(room.id, id));
  }

  async #editRoom() {
    const room = this.#rooms.current;
    const wanted = await askRoom('Your room', 'Save', room);
    if (!wanted) return;
    await attempt(async () => {
      if (wanted.name !== room.name) await this.#chat.rename(room.id, wanted.name);
      if (wanted.desc !== room.desc) await this.#chat.describe(room.id, wanted.desc);
    });
  }

  async #clearRoom() {
    const room = this.#rooms.current;
    if (!(await confirm(`Delete all messages of “${room.name}” for everybody?`, 'Delete all'))) return;
    await attempt(() => this.#chat.clearRoom(room.id));
  }

  async #deleteRoom() {
    const room = this.#rooms.current;
    if (!(await confirm(`Delete “${room.name}” with all messages for everybody?`, 'Delete'))) return;
    await attempt(() => this.#chat.deleteRoom(room.id));
  }
}
