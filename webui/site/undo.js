// Something that is done in a moment, unless somebody takes it back. No words for people here.

/** Time to take it back, milliseconds. */
export const TIME_TO_UNDO = 7000;

/**
 * Deletes what is at an address of the API in a moment, or at once when the page is left.
 * @param {string} path  below /api/v1
 * @param {(problem: unknown) => void} onDone  with what went wrong, or null
 * @param {(path: string) => Promise<unknown>} work
 * @returns {() => void} takes it back
 */
export function deleteLater(path, onDone, work) {
  const settled = new AbortController();
  const leave = () => {
    settle();
    // The cookie goes along; an ordinary request would be given up with the page.
    void fetch(`/api/v1${path}`, { method: "DELETE", keepalive: true }).catch(() => {});
  };
  const timer = setTimeout(() => {
    settle();
    work(path).then(() => onDone(null), onDone);
  }, TIME_TO_UNDO);
  const settle = () => {
    clearTimeout(timer);
    settled.abort();
  };
  addEventListener("pagehide", leave, { signal: settled.signal });
  return settle;
}
