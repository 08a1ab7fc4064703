// The chat of one stream: keeps the connection, resumes it after the last message received, and holds the
// messages shown. No page elements here.

import { batch, signal } from "../vendor/signals.js";
import { isLoggedIn, renew, wantsRenewal } from "../site/login.js";
import { api, asProblem, sentence } from "../site/api.js";
import { barredWords } from "../site/words.js";
import { byEvents, bySocket } from "./connection.js";

/**
 * @import { Barred, ChatRules, Message, UserRef } from "../types.js"
 * @import { Problem } from "../site/api.js"
 * @import { Connection } from "./connection.js"
 */

/** Messages kept on the page. */
export const KEPT = 300;
/** Milliseconds before it connects again, at first and at most. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;

/** @typedef {{ client_id: string, text: string, why: string | null }} Waiting  The user's message that the daemon has not confirmed yet; `why` it was refused. */

export class Room {
  messages = signal(/** @type {Message[]} */ ([]));
  waiting = signal(/** @type {Waiting[]} */ ([]));
  people = signal(/** @type {UserRef[]} */ ([]));
  viewers = signal(/** @type {number | null} */ (null));
  rules = signal(/** @type {ChatRules | null} */ (null));
  you = signal(/** @type {UserRef | null} */ (null));
  mayWrite = signal(false);
  /** The mute or ban that holds for the user. */
  barred = signal(/** @type {Barred | null} */ (null));
  reactions = signal(/** @type {{ likes: number, dislikes: number } | null} */ (null));
  /** "away" reconnects by itself; "ended" is final. */
  state = signal(/** @type {"connecting" | "open" | "away" | "ended"} */ ("connecting"));
  /** The daemon's refusal, in words. */
  refusal = signal("");
  /** Whether no WebSocket can be opened, so that the chat comes by other means. */
  isDetour = signal(false);

  #stream;
  /** @type {Connection | null} */
  #connection = null;
  #way = bySocket;
  /** Whether anything was ever heard this way. */
  #wayWorks = false;
  #pause = FIRST_PAUSE;
  /** @type {number | undefined} */
  #timer;
  #isClosed = false;
  /** Whether the present connection was accepted. */
  #wasWelcome = false;
  #hasRenewed = false;

  /** @param {string} stream */
  constructor(stream) {
    this.#stream = stream;
    this.#connect();
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#connection?.close();
  }

  /** @param {string} text */
  send(text) {
    const client_id = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.refusal.value = "";
    this.waiting.value = [...this.waiting.value, { client_id, text, why: null }];
    if (!this.#connection?.say({ type: "message", text, client_id })) this.#refused(client_id, "Not sent: no connection");
  }

  /** Removes a message that was not sent, and returns its text. @param {string} client_id */
  takeBack(client_id) {
    const found = this.waiting.value.find((one) => one.client_id === client_id);
    this.waiting.value = this.waiting.value.filter((one) => one !== found);
    return found?.text ?? "";
  }

  /** @param {string} id */
  remove(id) {
    this.#connection?.say({ type: "delete", id });
  }

  async #connect() {
    if (wantsRenewal()) await renew();
    if (this.#isClosed) return;
    const last = this.messages.value.at(-1)?.id;
    this.#wasWelcome = false;
    const connection = this.#way(this.#stream, last, {
      told: (words) => this.#isClosed || batch(() => this.#told(words)),
      lost: (problem) => this.#lost(connection, problem),
    });
    this.#connection = connection;
  }

  /** @param {Connection} connection @param {Problem | null} problem */
  #lost(connection, problem) {
    if (this.#isClosed || connection !== this.#connection || this.state.value === "ended") return;
    // A browser does not say why it could not open a WebSocket: the daemon may be away, may refuse, or a proxy may not pass them on.
    // The other way tells.
    if (!this.#wayWorks) this.#way = this.#way === bySocket ? byEvents : bySocket;
    batch(() => {
      this.state.value = "away";
      if (problem) this.refusal.value = problem.message;
      if (problem?.barred) this.barred.value = problem.barred;
      for (const { client_id, why } of this.waiting.value) if (why === null) this.#refused(client_id, "Possibly not sent: the connection was lost");
    });
    if (this.#wayWorks && !this.#wasWelcome) void this.#learnWhy();
    this.#timer = setTimeout(() => this.#connect(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  /** Browsers tell no script why a WebSocket was refused; a request does. */
  async #learnWhy() {
    try {
      await api.get(`/streams/${this.#stream}/messages`, { query: { limit: 1 } });
    } catch (error) {
      const { barred } = asProblem(error);
      if (barred && !this.#isClosed) this.barred.value = barred;
    }
  }

  /** @param {any} words */
  #told(words) {
    switch (words.type) {
      case "welcome": return this.#welcomed(words);
      case "message": return this.#heard(words);
      case "delete": {
        this.messages.value = this.messages.value.map((one) => (one.id === words.id ? { ...one, text: "", deleted: true } : one));
        return;
      }
      case "presence": {
        this.viewers.value = words.viewers;
        this.people.value = words.people ?? [];
        return;
      }
      case "reaction": {
        this.reactions.value = { likes: words.likes, dislikes: words.dislikes };
        return;
      }
      case "rules": {
        this.rules.value = words.rules ?? words;
        if (typeof words.may_write === "boolean") this.mayWrite.value = words.may_write;
        this.barred.value = words.barred ?? null;
        this.refusal.value = "";
        return;
      }
      case "ended": {
        this.state.value = "ended";
        return;
      }
      case "error": {
        if (words.barred) this.barred.value = words.barred;
        const why = words.barred ? barredWords(words.barred) : sentence(String(words.detail ?? words.code));
        // Shown beside its message.
        if (words.client_id) this.#refused(words.client_id, why);
        else this.refusal.value = why;
      }
    }
  }

  /** @param {{ rules: ChatRules, you: UserRef | null, may_write: boolean, barred?: Barred | null, viewers: number }} welcome */
  #welcomed({ rules, you, may_write, barred, viewers }) {
    this.#pause = FIRST_PAUSE;
    this.#wasWelcome = true;
    this.#wayWorks = true;
    this.isDetour.value = this.#way === byEvents;
    this.rules.value = rules;
    this.you.value = you;
    this.mayWrite.value = may_write;
    this.barred.value = barred ?? null;
    this.viewers.value = viewers;
    this.state.value = "open";
    this.refusal.value = "";
    // Admitted without a login although logged in: the token had expired. Reconnect once with a new one.
    if (you === null && isLoggedIn() && !this.#hasRenewed) {
      this.#hasRenewed = true;
      const asNobody = this.#connection;
      renew(true).then((isFresh) => isFresh && asNobody?.close());
    }
  }

  /** @param {Message & { client_id?: string }} message */
  #heard(message) {
    const known = this.messages.value;
    // Repeated after a reconnection, or as the answer to a request.
    const isNew = !known.some(({ id }) => id === message.id);
    if (isNew) {
      const last = known.at(-1);
      const inOrder = !last || last.id < message.id ? [...known, message] : [...known, message].sort((a, b) => (a.id < b.id ? -1 : 1));
      this.messages.value = inOrder.slice(-KEPT);
    }
    const isOwn = message.user?.username === this.you.value?.username;
    const mine = this.waiting.value.find((one) => one.client_id === message.client_id)
      // After a broken connection the echo may come without its mark, and so does an event that is faster than the answer to the request.
      ?? (isNew && isOwn && !message.client_id ? this.waiting.value.find(({ text }) => text === message.text) : undefined);
    if (mine) this.waiting.value = this.waiting.value.filter((one) => one !== mine);
  }

  /** @param {string} client_id @param {string} why */
  #refused(client_id, why) {
    this.waiting.value = this.waiting.value.map((one) => (one.client_id === client_id ? { ...one, why } : one));
  }
}
