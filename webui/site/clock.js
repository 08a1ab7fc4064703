// The daemon's wall clock as seen from here. The two clocks may differ by years: a board without a
// real-time clock starts in the past.

import { api } from "./api.js";

/** @import { System } from "../types.js" */

class DaemonClock {
  /** @type {number | null} */
  #offset = null;
  #roundTrip = Infinity;

  /**
   * @param {number} theirs
   * @param {number} asked
   * @param {number} answered
   */
  learn(theirs, asked, answered) {
    const roundTrip = answered - asked;
    const offset = theirs - (asked + answered) / 2;
    // The quickest response gives the best time, unless the daemon's clock was set in between.
    const jumped = this.#offset !== null && Math.abs(offset - this.#offset) > roundTrip + this.#roundTrip;
    if (jumped || roundTrip <= this.#roundTrip) {
      this.#offset = offset;
      this.#roundTrip = roundTrip;
    }
  }

  /** Unix milliseconds, or null before the first answer. */
  now() {
    return this.#offset === null ? null : Date.now() + this.#offset;
  }
}

export const clock = new DaemonClock();

/** The board's state; also sets the clock. @returns {Promise<System>} */
export async function askSystem() {
  const asked = Date.now();
  /** @type {System} */
  const answer = await api.get("/system");
  clock.learn(Date.parse(answer.time), asked, Date.now());
  return answer;
}
