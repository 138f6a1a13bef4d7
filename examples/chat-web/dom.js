// Small helpers for elements. Texts from others go into textContent and nowhere else.

export const $ = (id) => document.getElementById(id);

/** A copy of a template's element, and a function that finds what is in it by selector. */
export function clone(template) {
  const element = $(template).content.firstElementChild.cloneNode(true);
  return [element, (selector) => element.querySelector(selector)];
}

/** Makes an element the sign of a name: its first letter on a colour of its own. */
export function avatar(element, name) {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + char.codePointAt(0)) >>> 0;
  element.textContent = ([...name][0] ?? '').toUpperCase();
  element.style.setProperty('--hue', (sum * 137) % 360);
}

let noticeTimer;

/** Tells something for a while; with an empty text, nothing any more. */
export function notify(text) {
  clearTimeout(noticeTimer);
  $('notice').textContent = text;
  noticeTimer = setTimeout(() => ($('notice').textContent = ''), 3000 + 60 * text.length);
}

/** Runs what may fail, and tells people when it did. */
export async function attempt(run) {
  try {
    return await run();
  } catch (err) {
    notify(err.message);
    return undefined;
  }
}

/** Shows a dialog; the promise is of whether it was left by its main button. */
function ask(dialog) {
  dialog.returnValue = '';
  dialog.querySelector('.cancel').onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** Asks for a room's name and description; the promise is of both, or of undefined. */
export async function askRoom(title, doing, { name, desc }) {
  $('room-dialog-title').textContent = title;
  $('room-dialog-yes').textContent = doing;
  $('new-name').value = name;
  $('new-desc').value = desc;
  if (!(await ask($('room-dialog')))) return undefined;
  return { name: $('new-name').value, desc: $('new-desc').value };
}

/** Asks whether to do something that cannot be taken back. */
export function confirm(question, doing) {
  $('confirm-text').textContent = question;
  $('confirm-yes').textContent = doing;
  return ask($('confirm'));
}

/** Makes a list show `items`; the elements of those that it shows already stay, by their key. */
export function fill(list, items, keyOf, make, update) {
  const keys = new Set(items.map((item) => String(keyOf(item))));
  const old = new Map();
  for (const element of [...list.children]) {
    if (keys.has(element.dataset.key)) old.set(element.dataset.key, element);
    else element.remove();
  }
  let next = list.firstElementChild;
  items.forEach((item, i) => {
    const key = String(keyOf(item));
    const element = old.get(key) ?? make(item);
    element.dataset.key = key;
    if (element === next) next = next.nextElementSibling;
    else list.insertBefore(element, next);
    update(element, item, items[i - 1]);
  });
}

/** A number of bytes for people. */
export function bytesText(n) {
  if (n < 1000) return `${n} bytes`;
  if (n < 1_000_000) return `${(n / 1000).toFixed(1)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}
