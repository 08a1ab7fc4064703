// What the daemon says of itself: the cameras, and its clock. No page elements here.

/**
 * @typedef {object} Camera
 * @property {string} name
 * @property {"starting" | "live" | "waiting" | "stopped"} state
 * @property {string} detail  In words: what is missing, with the way out; empty when live.
 * @property {string | null} camera
 * @property {string | null} encoder
 * @property {number | null} width
 * @property {number | null} height
 * @property {number | null} frames_per_second
 * @property {string | null} chosen  What runs, in words.
 * @property {string[]} reasons  Why not something else.
 *
 * @typedef {object} System
 * @property {string} version
 * @property {string} time
 * @property {number} uptime_seconds
 * @property {number | null} temperature_celsius
 * @property {string[]} warnings
 */

/** A daemon that does not answer within this time is told to be away, milliseconds. */
const PATIENCE = 4000;

/**
 * @param {string} path
 * @returns {Promise<any>}
 */
async function get(path) {
  // The browser asks with the ETag it has; what has not changed is not sent again.
  const response = await fetch(path, { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** @returns {Promise<Camera[]>} */
export async function cameras() {
  return (await get("/api/v1/cameras")).items;
}

/** @returns {Promise<System>} */
export async function system() {
  const asked = Date.now();
  /** @type {System} */
  const answer = await get("/api/v1/system");
  const answered = Date.now();
  clock.learn(Date.parse(answer.time), asked, answered);
  return answer;
}

/**
 * The daemon's wall clock as seen from here. The two clocks may differ by years: a board without a
 * real-time clock wakes up in the past.
 */
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
    // The quickest answer tells the time best, unless their clock was set in between.
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
