// Which messages of a stream's chat had been written at a moment of its recording. Loads them around that moment, and no more.

import { api } from "../site/api.js";

/** @import { List, Message, TimelinePoint } from "../types.js" */

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
  #onNews;

  /**
   * @param {string} stream
   * @param {() => void} onNews  other messages may be on show now
   */
  constructor(stream, onNews) {
    this.#path = `/streams/${stream}/messages`;
    this.#onNews = onNews;
  }

  /** The picture on show is this far into the stream. @param {number} offset  seconds */
  go(offset) {
    this.#wanted = offset;
    void this.#load();
  }

  /** Those that had been written before. */
  get shown() {
    const end = this.#messages.findIndex(({ offset_seconds }) => offset_seconds >= this.#wanted);
    const all = end < 0 ? this.#messages : this.#messages.slice(0, end);
    return all.slice(-MOST);
  }

  get #isNear() {
    return this.#wanted >= this.#from && (this.#cursor !== null || this.#until === Infinity);
  }

  async #load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      // A person who drags the handle has moved on before the answer comes.
      for (;;) {
        const jumped = !this.#isNear || this.#wanted > this.#until + BEFORE;
        if (!jumped && this.#wanted + AHEAD <= this.#until) break;
        const from = jumped ? Math.max(0, this.#wanted - BEFORE) : this.#from;
        /** @type {List<Message>} */
        const page = await api.get(this.#path, { query: { from, limit: PAGE, cursor: jumped ? null : this.#cursor } });
        this.#messages = (jumped ? page.items : [...this.#messages, ...page.items]).slice(-2 * MOST - PAGE);
        this.#from = this.#messages.length > 2 * MOST ? this.#messages[0]?.offset_seconds ?? from : from;
        this.#cursor = page.next_cursor;
        this.#until = page.next_cursor === null ? Infinity : page.items.at(-1)?.offset_seconds ?? Infinity;
        this.#onNews();
      }
    } catch (error) {
      // The next second asks again.
      console.warn(error);
    } finally {
      this.#isLoading = false;
    }
    this.#onNews();
  }
}
