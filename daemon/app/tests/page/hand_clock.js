// Time for the page's tests: stands still until it is turned.

let now = 1_000_000;
let last = 0;
/** @type {Map<number, { at: number, then: () => void }>} */
const waiting = new Map();

Date.now = () => now;
globalThis.setTimeout = (then, milliseconds = 0) => {
  waiting.set(++last, { at: now + milliseconds, then });
  return last;
};
globalThis.clearTimeout = (id) => void waiting.delete(id);

/** Lets everything happen that does not wait for time. */
async function settle() {
  for (let i = 0; i < 5; i++) await new Promise((done) => setImmediate(done));
}

/** Turns the clock, in steps small enough that whoever wakes can go to sleep again. @param {number} milliseconds */
export async function pass(milliseconds) {
  const until = now + milliseconds;
  for (;;) {
    await settle();
    const next = Math.min(...[...waiting.values()].map(({ at }) => at));
    if (next > until) break;
    now = Math.max(now, next);
    // Who waits for the same moment wakes at once, before anybody has done anything.
    for (const [id, { at, then }] of [...waiting]) {
      if (at > now || !waiting.delete(id)) continue;
      then();
    }
  }
  now = until;
  await settle();
}

/** Nobody waits any more. */
export function forgetTimers() {
  waiting.clear();
}
