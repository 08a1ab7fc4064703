// One message, in the chat and in its replay.

import { asClock, nameOf } from "../site/words.js";
import { html } from "../parts/html.js";
import { Icon } from "../parts/icon.js";
import { Avatar, profileOf } from "../parts/person.js";

/** @import { Message } from "../types.js" */

/** @param {{ message: Message, onAct?: (() => void) | null, withTime?: boolean }} props */
export function Line({ message, onAct = null, withTime = false }) {
  const { user, text, offset_seconds, deleted } = message;
  return html`
    <div class="line">
      ${withTime && html`<span class="line-time">${asClock(offset_seconds)}</span>`}
      <${Avatar} user=${user} size="small" />
      <p>${user
        ? html`<a class="line-name" href=${profileOf(user.username)}>${nameOf(user)}</a>`
        : html`<span class="line-name quiet">Deleted account</span>`}${" "}
        ${deleted ? html`<em class="quiet">Message deleted</em>` : html`<span class="line-text">${text}</span>`}</p>
      ${onAct && html`<button class="button quiet square line-act" type="button" aria-label="Actions for the message from ${user ? nameOf(user) : ""}" onClick=${onAct}><${Icon} name="more" /></button>`}
    </div>`;
}
