// A part of a recording: two handles on its time line, and the file to download.

import { asClock } from "../site/words.js";
import { html, useSignal } from "./html.js";

/** @import { Signal } from "@preact/signals" */

/** What is offered at first, and the least, seconds. */
const FIRST = 30;
const SHORTEST = 1;

/**
 * @param {object} props
 * @param {string} props.download  address of the whole recording
 * @param {number} props.duration  seconds
 * @param {Signal<number>} props.position
 * @param {(at: number) => void} props.onSeek
 * @param {() => void} props.onClose
 */
export function Clip({ download, duration, position, onSeek, onClose }) {
  const whole = Math.max(SHORTEST, Math.floor(duration * 10) / 10);
  const beginning = Math.min(Math.floor(position.peek()), Math.max(0, whole - SHORTEST));
  const from = useSignal(beginning);
  const to = useSignal(Math.min(beginning + FIRST, whole));
  const begin = (/** @type {number} */ at) => (from.value = Math.max(0, Math.min(at, to.value - SHORTEST)));
  const end = (/** @type {number} */ at) => (to.value = Math.min(whole, Math.max(at, from.value + SHORTEST)));
  const tenth = (/** @type {number} */ seconds) => Math.round(seconds * 10) / 10;
  const share = (/** @type {number} */ at) => `${(100 * at) / whole}%`;
  const handle = (/** @type {string} */ name, /** @type {Signal<number>} */ value, /** @type {(at: number) => number} */ move) => html`
    <input type="range" min="0" max=${whole} step="0.1" value=${value.value} aria-label=${name} aria-valuetext=${asClock(value.value)}
      onInput=${(/** @type {any} */ event) => {
        const at = move(Number(event.currentTarget.value));
        // What is moved beyond the other handle stays at it.
        event.currentTarget.value = String(at);
        onSeek(at);
      }} />`;
  return html`
    <section class="clip" aria-label="Clip">
      <header><h2>Clip</h2><p class="quiet">${asClock(from.value)} to ${asClock(to.value)} (${asClock(to.value - from.value)})</p></header>
      <div class="handles" style=${{ "--from": share(from.value), "--to": share(to.value) }}>
        ${handle("Start of the clip", from, begin)}${handle("End of the clip", to, end)}
      </div>
      <div class="actions">
        <button class="button" type="button" onClick=${() => begin(tenth(position.value))}>Start here</button>
        <button class="button" type="button" onClick=${() => end(tenth(position.value))}>End here</button>
        <a class="button primary" href="${download}?from=${tenth(from.value)}&to=${tenth(to.value)}" download>Download clip</a>
        <button class="button" type="button" onClick=${onClose}>Close</button>
      </div>
    </section>`;
}
