// Short messages that disappear by themselves; screen readers announce them politely.

import { html, signal } from "./html.js";

/** @typedef {{ id: number, words: string, to: string | null }} Toast */

const LASTS = 6000;
const shown = signal(/** @type {Toast[]} */ ([]));
let last = 0;

/**
 * @param {string} words
 * @param {string | null} to  link of the message
 */
export function toast(words, to = null) {
  const id = ++last;
  shown.value = [...shown.value.slice(-2), { id, words, to }];
  setTimeout(() => (shown.value = shown.value.filter((one) => one.id !== id)), LASTS);
}

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.value.map(({ id, words, to }) => html`<p key=${id} class="toast">${to ? html`<a href=${to}>${words}</a>` : words}</p>`)}
  </div>`;
}
