// Shown in place of a screen that needs a login.

import { me } from "../site/session.js";
import { html } from "./html.js";
import { loginThenBack } from "./person.js";

/** @param {{ words: string }} props */
export function LogInFirst({ words }) {
  // Still loading.
  if (me.value === undefined) return html`<p class="waiting" role="status">Loading</p>`;
  return html`<div class="empty"><div class="perched" aria-hidden="true"></div><h1>Log in first</h1><p>${words}</p><p><a class="button primary" href=${loginThenBack()}>Log in</a></p></div>`;
}
