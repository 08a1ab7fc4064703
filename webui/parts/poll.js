// Polls while a screen is shown and its tab is visible.

import { useEffect, useRef } from "./html.js";

/**
 * @param {(signal: AbortSignal) => Promise<number>} ask  returns the milliseconds until the next call; 0: never
 * @param {unknown[]} inputs  restarts when one of them changes
 */
export function usePoll(ask, inputs) {
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    const gone = new AbortController();
    /** @type {number | undefined} */
    let timer;
    let isAsking = false;
    let isOver = false;
    const turn = async () => {
      clearTimeout(timer);
      if (isAsking || isOver || gone.signal.aborted || document.hidden) return;
      isAsking = true;
      let pause = 5000;
      try {
        pause = await latest.current(gone.signal);
      } catch (error) {
        if (!gone.signal.aborted) console.error(error);
      }
      isAsking = false;
      isOver = pause === 0;
      if (!isOver && !gone.signal.aborted) timer = setTimeout(turn, pause);
    };
    turn();
    document.addEventListener("visibilitychange", turn, { signal: gone.signal });
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, inputs);
}
