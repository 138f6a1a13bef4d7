// A WebSocket that comes back by itself, over which requests are asked and answered. Frames are JSON objects
// with a `type`; an answer is the first frame that looks like it, since the server answers in order.

const ANSWER_LIMIT = 45_000; // ms; the server itself may hold a log-in for 30 s
const SLOWEST = 15_000; // ms between two tries to connect
const MUCH = 512 << 10; // bytes that wait to be sent

/** There is no connection, or it ended before the answer came. */
export class Lost extends Error {
  constructor() {
    super('The connection was lost. It will be back in a moment.');
  }
}

export class Connection extends EventTarget {
  #url;
  #socket = null;
  #expected = []; // answers, in the order of the requests
  #tries = 0;
  #timer = 0;

  constructor(url) {
    super();
    this.#url = url;
  }

  /** What a protocol makes of it. */
  opened() {}
  lost() {}
  received(_frame) {}
  receivedBytes(_bytes) {}

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** How often in a row it has tried in vain. */
  get tries() {
    return this.#tries;
  }

  /** Connects, unless it is connected or about to be. */
  connect() {
    clearTimeout(this.#timer);
    if (this.#socket) return;
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.opened();
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.received(JSON.parse(data));
      else this.receivedBytes(data);
    };
    socket.onclose = () => this.lose();
    this.#socket = socket;
  }

  /** Waits for the connection that is being made. */
  async connected() {
    this.connect();
    if (this.isOpen) return;
    await new Promise((resolve, reject) => {
      this.#socket.addEventListener('open', resolve, { once: true });
      this.#socket.addEventListener('close', () => reject(new Error('The server cannot be reached.')), { once: true });
    });
  }

  /** Ends the connection, with all that waits for answers, and makes another. */
  lose() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const answer of this.#expected.splice(0)) {
      clearTimeout(answer.timer);
      answer.reject(new Lost());
    }
    this.later(() => this.connect());
    this.lost();
  }

  /** Runs something after a pause, a longer one each time until `well` is called. Returns how many times. */
  later(run) {
    const pause = Math.min(SLOWEST, 300 * 2 ** this.#tries) * (0.5 + Math.random() / 2);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, pause);
    return ++this.#tries;
  }

  well() {
    this.#tries = 0;
  }

  /** Sends a request. The promise is of the first frame from then on for which `isAnswer` holds. */
  ask(request, isAnswer = (frame) => frame.type === request.type) {
    if (!this.isOpen) return Promise.reject(new Lost());
    this.send(request);
    return this.expect([request.type], isAnswer).promise;
  }

  send(request) {
    this.#socket.send(JSON.stringify(request));
  }

  /** Sends a binary frame, and waits while too much is on its way. */
  async sendBytes(bytes) {
    if (!this.isOpen) throw new Lost();
    this.#socket.send(bytes);
    while (this.#socket?.bufferedAmount > MUCH) await new Promise((next) => setTimeout(next, 50));
  }

  /** An answer that has to come. `requests` are the types whose refusal means that it will not. */
  expect(requests, isAnswer) {
    const answer = { requests, isAnswer, ...Promise.withResolvers() };
    answer.promise.catch(() => {}); // it may fail before somebody waits for it
    this.prolong(answer);
    this.#expected.push(answer);
    return answer;
  }

  /** Gives an expected answer its full time again: a connection on which nothing comes is none. */
  prolong(answer) {
    clearTimeout(answer.timer);
    answer.timer = setTimeout(() => this.lose(), ANSWER_LIMIT);
  }

  /** Takes the oldest expected answer of those that `which` holds for; undefined when there is none. */
  take(which) {
    const at = this.#expected.findIndex(which);
    if (at < 0) return undefined;
    const [answer] = this.#expected.splice(at, 1);
    clearTimeout(answer.timer);
    return answer;
  }
}
