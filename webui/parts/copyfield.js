// A value to be copied into another program.

import { copy } from "../site/clipboard.js";
import { html, useId, useSignal } from "./html.js";
import { Icon } from "./icon.js";
import { toast } from "./toast.js";

/** @param {{ label: string, value: string, hint?: string, isSecret?: boolean, children?: any }} props  children: under it */
export function CopyField({ label, value, hint, isSecret = false, children }) {
  const id = useId();
  const isShown = useSignal(!isSecret);
  const take = async () => toast((await copy(value)) ? "Copied." : "This browser does not copy: select the text and copy it yourself.");
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <div class="copy-field">
        <input id=${id} readonly type=${isShown.value ? "text" : "password"} value=${value} autocomplete="off" spellcheck=${false} aria-describedby=${hint ? `${id}-words` : null}
          onFocus=${(/** @type {any} */ event) => event.currentTarget.select()} />
        ${isSecret && html`<button class="button" type="button" aria-pressed=${isShown.value} aria-label="Show ${label.toLowerCase()}" onClick=${() => (isShown.value = !isShown.value)}><${Icon} name="eye" /></button>`}
        <button class="button" type="button" aria-label="Copy ${label.toLowerCase()}" onClick=${take}><${Icon} name="copy" />Copy</button>
      </div>
      ${hint && html`<p id="${id}-words" class="field-words">${hint}</p>`}
      ${children}
    </div>`;
}
