// The time line under a live stream that is recorded: back to any second of it, and to what is live.

import { asClock } from "../site/words.js";
import { html, useEffect, useSignal } from "./html.js";
import { TimeLine } from "./timeline.js";

/**
 * @param {object} props
 * @param {string} props.stream  its id
 * @param {number} props.duration  of what is recorded by now, seconds
 * @param {number | null} props.position  of the picture on show; null: live
 * @param {(at: number | null) => void} props.onGo  null: to what is live
 */
export function Rewind({ stream, duration, position, onGo }) {
  // The daemon is asked now and then; in between the recording grows by itself.
  const grown = useSignal(0);
  useEffect(() => {
    const since = performance.now();
    grown.value = 0;
    const timer = setInterval(() => (grown.value = (performance.now() - since) / 1000), 1000);
    return () => clearInterval(timer);
  }, [duration]);
  const whole = Math.max(1, Math.floor(duration + grown.value));
  const isLive = position === null;
  const at = isLive ? whole : Math.min(Math.floor(position), whole);
  const words = isLive ? "Live" : `${asClock(at)} of ${asClock(whole)}`;
  return html`
    <div class="timeline" role="group" aria-label="Rewind">
      <${TimeLine} stream=${stream} duration=${whole} position=${at} words=${words} onGo=${onGo} />
      <span class="timeline-words">${isLive ? asClock(whole) : words}</span>
      <button class="button to-live" type="button" aria-pressed=${isLive} onClick=${() => onGo(null)}>Live</button>
    </div>`;
}
