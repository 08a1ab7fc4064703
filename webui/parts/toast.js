// Short messages that disappear by themselves; screen readers announce them politely.

import { html, signal } from "./html.js";

/** @typedef {{ id: number, words: string, to: string | null, action: Action | null }} Toast */
/** @typedef {{ words: string, act: () => void }} Action */

const LASTS = 6000;
/** What can be acted on stays longer. */
const WITH_ACTION_LASTS = 15_000;
const shown = signal(/** @type {Toast[]} */ ([]));
let last = 0;

/**
 * @param {string} words
 * @param {string | null} to  link of the message
 * @param {Action | null} action  what can be done about it meanwhile
 */
export function toast(words, to = null, action = null) {
  const id = ++last;
  shown.value = [...shown.value.slice(-2), { id, words, to, action }];
  setTimeout(() => takeAway(id), action ? WITH_ACTION_LASTS : LASTS);
}

/** @param {number} id */
const takeAway = (id) => (shown.value = shown.value.filter((one) => one.id !== id));

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.value.map(({ id, words, to, action }) => html`<p key=${id} class="toast">${to ? html`<a href=${to}>${words}</a>` : words}
      ${action && html`<button class="link" type="button" onClick=${() => (takeAway(id), action.act())}>${action.words}</button>`}</p>`)}
  </div>`;
}
