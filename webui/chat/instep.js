// Which messages of a stream's chat had been written at a moment of its recording, also of one that grows. Loads them around that moment, and no more.

import { api, asProblem } from "../site/api.js";

/** @import { Barred, List, Message, TimelinePoint } from "../types.js" */

/** After a jump, the messages of so many seconds before it are loaded. */
const BEFORE = 120;
/** More are loaded when the last one loaded is less than so many seconds away. */
const AHEAD = 30;
const PAGE = 100;
/** On show at most. */
const MOST = 200;

/**
 * Seconds into the stream at a second of its recording: pauses of the stream are not in the recording.
 * @param {TimelinePoint[]} timeline
 * @param {number} position
 */
export function offsetAt(timeline, position) {
  const before = timeline.filter(({ at_seconds }) => at_seconds <= position).at(-1) ?? timeline[0];
  return before ? before.offset_seconds + position - before.at_seconds : position;
}

/**
 * The way back: seconds into the recording at a second of the stream. What was said in a pause belongs to its end.
 * @param {TimelinePoint[]} timeline
 * @param {number} offset
 */
export function positionAt(timeline, offset) {
  const index = timeline.filter(({ offset_seconds }) => offset_seconds <= offset).length - 1;
  const before = timeline[index];
  if (!before) return timeline[0]?.at_seconds ?? offset;
  return Math.min(before.at_seconds + offset - before.offset_seconds, timeline[index + 1]?.at_seconds ?? Infinity);
}

export class InStep {
  #path;
  /** In order. @type {Message[]} */
  #messages = [];
  /** What is loaded, seconds into the stream. */
  #from = 0;
  #until = -1;
  /** @type {string | null} */
  #cursor = null;
  #isLoading = false;
  #wanted = 0;
  #behind = Infinity;
  #onNews;
  /** The ban that keeps the reader out. @type {Barred | null} */
  barred = null;

  /**
   * @param {string} stream
   * @param {() => void} onNews  other messages may be on show now
   */
  constructor(stream, onNews) {
    this.#path = `/streams/${stream}/messages`;
    this.#onNews = onNews;
  }

  /**
   * The picture on show is this far into the stream.
   * @param {number} offset  seconds
   * @param {number} [behind]  how far that is behind what is live, seconds: until there, messages can be known by now
   */
  go(offset, behind = Infinity) {
    this.#wanted = offset;
    this.#behind = behind;
    void this.#load();
  }

  /** Those that had been written before, with those known otherwise. @param {Message[]} [others]  in order */
  shown(others = []) {
    return this.#all(others).filter(({ offset_seconds }) => offset_seconds < this.#wanted).slice(-MOST);
  }

  /** How many of these, and of those loaded, came later. @param {Message[]} others */
  newer(others) {
    return this.#all(others).filter(({ offset_seconds }) => offset_seconds >= this.#wanted).length;
  }

  /** In order. @param {Message[]} others */
  #all(others) {
    if (others.length === 0) return this.#messages;
    // What is known otherwise is newer: a deleted message is deleted there.
    const byId = new Map([...this.#messages, ...others].map((message) => [message.id, message]));
    return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get #isNear() {
    return this.#wanted >= this.#from && (this.#cursor !== null || this.#wanted <= this.#until);
  }

  async #load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      // A person who drags the handle has moved on before the answer comes.
      for (;;) {
        const jumped = !this.#isNear || this.#wanted > this.#until + BEFORE;
        if (!jumped && (this.#cursor === null || this.#wanted + AHEAD <= this.#until)) break;
        // The last page of a stream that is live ends at what is live now.
        const end = this.#wanted + Math.max(this.#behind - 1, 1);
        const from = jumped ? Math.max(0, this.#wanted - BEFORE) : this.#from;
        /** @type {List<Message>} */
        const page = await api.get(this.#path, { query: { from, limit: PAGE, cursor: jumped ? null : this.#cursor } });
        this.#messages = (jumped ? page.items : [...this.#messages, ...page.items]).slice(-2 * MOST - PAGE);
        this.#from = this.#messages.length > 2 * MOST ? this.#messages[0]?.offset_seconds ?? from : from;
        this.#cursor = page.next_cursor;
        this.#until = page.next_cursor === null ? end : page.items.at(-1)?.offset_seconds ?? Infinity;
        this.#onNews();
      }
      this.barred = null;
    } catch (error) {
      // The next second asks again.
      this.barred = asProblem(error).barred;
      if (!this.barred) console.warn(error);
    } finally {
      this.#isLoading = false;
    }
    this.#onNews();
  }
}
