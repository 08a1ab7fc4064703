// A time line: where the picture on show is, and where to go. Shows the moment under the pointer as a small picture with its time.

import { pictureAt, Storyboard } from "../site/storyboard.js";
import { asClock } from "../site/words.js";
import { html, useEffect, useMemo, useRef, useSignal } from "./html.js";

/** @import { SmallPicture } from "../site/storyboard.js" */

/** The preview stays for so long after a key was pressed, milliseconds. */
const LINGER = 1500;

/**
 * @param {object} props
 * @param {string} props.stream  its id
 * @param {number} props.duration  seconds
 * @param {number} props.position  seconds
 * @param {string} props.words  the position, as screen readers say it
 * @param {(at: number) => void} props.onGo
 */
export function TimeLine({ stream, duration, position, words, onGo }) {
  const storyboard = useMemo(() => new Storyboard(stream), [stream]);
  /** The second that is previewed. */
  const looked = useSignal(/** @type {number | null} */ (null));
  /** Where the handle is held. */
  const held = useSignal(/** @type {number | null} */ (null));
  const isHovered = useRef(false);
  const timer = useRef(/** @type {number | undefined} */ (undefined));
  useEffect(() => () => clearTimeout(timer.current), []);
  const pictures = useSignal(storyboard.pictures);
  const load = () => void storyboard.load().then(() => (pictures.value = storyboard.pictures));
  const look = (/** @type {number} */ second) => {
    load();
    clearTimeout(timer.current);
    looked.value = Math.min(Math.max(0, second), duration);
    if (!isHovered.current) timer.current = setTimeout(() => (looked.value = null), LINGER);
  };
  const hover = (/** @type {PointerEvent} */ event) => {
    // A finger covers what it does not drag.
    if (event.pointerType === "touch") return;
    isHovered.current = true;
    const input = /** @type {HTMLInputElement} */ (event.currentTarget);
    const { left, width } = input.getBoundingClientRect();
    look(Math.round(((event.clientX - left) / width) * duration));
  };
  const leave = () => {
    isHovered.current = false;
    if (held.value === null) looked.value = null;
  };
  return html`
    <div class="timeline-track">
      <input type="range" min="0" max=${duration} step="1" value=${held.value ?? position} aria-label="Position" aria-valuetext=${words}
        onPointerEnter=${load} onPointerMove=${hover} onPointerLeave=${leave} onFocus=${load} onBlur=${leave}
        onInput=${(/** @type {any} */ event) => look((held.value = Number(event.currentTarget.value)))}
        onChange=${(/** @type {any} */ event) => {
          held.value = null;
          onGo(Number(event.currentTarget.value));
        }} />
      ${looked.value !== null && html`<${Preview} pictures=${pictures.value} second=${looked.value} share=${looked.value / Math.max(1, duration)} />`}
    </div>`;
}

/**
 * Screen readers hear the position instead.
 * @param {{ pictures: SmallPicture[], second: number, share: number }} props
 */
function Preview({ pictures, second, share }) {
  const picture = pictureAt(pictures, second);
  return html`
    <div class="preview" aria-hidden="true" style=${{ "--share": share }}>
      ${picture && html`<div class="preview-picture" style=${{ width: `${picture.width}px`, height: `${picture.height}px` }}>
        <img src=${picture.sheet} alt="" style=${{ translate: `${-picture.left}px ${-picture.top}px` }} /></div>`}
      <span>${asClock(second)}</span>
    </div>`;
}
