// The page: it shows what Chat and Rooms know, and does what people want.

import { Chat } from './chat.js';
import { Composer } from './composer.js';
import { $, attempt, avatar, confirm, notify } from './dom.js';
import { Log } from './log.js';
import { Members } from './members.js';
import { Rooms, roleOf } from './rooms.js';
import { Sidebar } from './sidebar.js';

const DEFAULT_SERVER = 'ws://127.0.0.1:6789/chat';

/** The server's address: that in ?server=, which has to be a WebSocket's. */
function serverAddress() {
  const given = new URLSearchParams(location.search).get('server');
  const url = URL.parse(given ?? DEFAULT_SERVER);
  if (url?.protocol === 'ws:' || url?.protocol === 'wss:') return url.href;
  notify(`“${given}” is not the address of a chat: it begins with ws:// or wss://.`);
  return DEFAULT_SERVER;
}

const server = serverAddress();
const tokenKey = `chat token for ${server}`; // what one server gave, no other gets
const chat = new Chat(server, sessionStorage.getItem(tokenKey) ?? '');
const rooms = new Rooms(chat);

const composer = new Composer(chat, rooms);
const sidebar = new Sidebar(chat, rooms);
const members = new Members(chat, rooms);
const log = new Log(rooms, {
  isMine: (message) => message.user === chat.user,
  mayRemove: (message) => message.user === chat.user || mayModerate(),
  edit: (message) => composer.edit(message),
  remove: async (message) => {
    const room = rooms.current;
    if (await confirm('Delete this message for everybody?', 'Delete')) {
      await attempt(() => chat.remove(room.id, message.id));
    }
  },
  download: (message) => attempt(() => save(rooms.current.id, message)),
});

function mayModerate() {
  const self = rooms.current?.members.find(({ id }) => id === chat.user);
  return Boolean(self && roleOf(self));
}

async function save(room, message) {
  notify(`Loading ${message.file.name}…`);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await chat.download(room, message.id));
  link.download = message.file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  notify('');
}

/** What is said of a state in which one has to wait. */
function waitText() {
  if (chat.state === 'elsewhere') return 'You are logged in on another page or device. Waiting for that to end…';
  if (chat.state !== 'connecting') return '';
  return chat.tries < 3 ? 'Connecting…' : `No answer from ${server}. Trying again…`;
}

function showState() {
  const isIn = Boolean(chat.token);
  if (isIn) sessionStorage.setItem(tokenKey, chat.token);
  else sessionStorage.removeItem(tokenKey);
  $('status').textContent = waitText();
  $('status').hidden = !waitText();
  $('entry').hidden = isIn;
  $('app').hidden = !isIn;
  if (chat.login) {
    $('me').textContent = chat.login;
    avatar($('me-avatar'), chat.login);
  }
  composer.render();
}

chat.addEventListener('state', async () => {
  const wasIn = !$('app').hidden;
  showState();
  if (chat.state === 'in') {
    await attempt(() => rooms.refresh());
    await openRoom();
  } else if (!chat.token) {
    rooms.clear();
    if (wasIn) notify('Please log in again.'); // the token is not good any more
  }
});

// Which room is open is in the address: so links, going back and loading the page again do what they should.
async function openRoom() {
  const room = rooms.get(Number(location.hash.slice(1))) ?? null;
  const isOther = room !== rooms.current;
  if (isOther) {
    composer.stopEditing();
    stopSearch();
  }
  await attempt(() => rooms.open(room));
  if (room && isOther && matchMedia('(hover: hover)').matches) $('text').focus();
}

window.addEventListener('hashchange', openRoom);
window.addEventListener('online', () => chat.connect());

rooms.addEventListener('change', () => {
  const room = rooms.current;
  document.title = `${rooms.unread ? `(${rooms.unread}) ` : ''}${room ? `${room.name} · ` : ''}Chat`;
  document.body.classList.toggle('has-room', Boolean(room));
  $('nothing').hidden = Boolean(room);
  $('room').hidden = !room;
  sidebar.render();
  members.render();
  composer.render();
  if (!room) return;
  $('room-name').textContent = room.name;
  $('room-desc').textContent = room.desc;
  log.render(room);
});

rooms.addEventListener('gone', ({ detail: room }) => {
  notify(`You are not in “${room.name}” any more.`);
  if (location.hash === `#${room.id}`) history.replaceState(null, '', '#');
});

$('server').textContent = server;
$('log-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const login = $('login').value;
  const password = $('password').value;
  const isNew = event.submitter?.value === 'sign-up';
  $('log-in').inert = true; // until there is an answer
  await attempt(async () => {
    await (isNew ? chat.signUp(login, password) : chat.logIn(login, password));
    $('password').value = '';
    notify('');
  });
  $('log-in').inert = false;
  if (!chat.token) $('password').select();
});

$('log-out').addEventListener('click', async () => {
  await attempt(async () => {
    await chat.logOut();
    notify('You are logged out.');
  });
  history.replaceState(null, '', location.pathname + location.search);
});

function stopSearch() {
  $('search').hidden = $('results').hidden = true;
  $('log').hidden = false;
  $('show-search').setAttribute('aria-expanded', 'false');
  $('search-text').value = $('search-result').textContent = '';
}

$('show-search').addEventListener('click', () => {
  if (!$('search').hidden) {
    stopSearch();
    return;
  }
  $('search').hidden = false;
  $('show-search').setAttribute('aria-expanded', 'true');
  $('search-text').focus();
});

$('search').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    stopSearch();
    $('show-search').focus();
  }
});

$('search').addEventListener('submit', async (event) => {
  event.preventDefault();
  const wanted = $('search-text').value;
  const found = await attempt(() => rooms.search(rooms.current, wanted));
  if (!found || $('search').hidden) return;
  $('search-result').textContent = found.length === 1 ? '1 message' : `${found.length || 'No'} messages`;
  $('log').hidden = true;
  $('results').hidden = false;
  log.renderFound(found, wanted);
});

showState();
chat.connect();
