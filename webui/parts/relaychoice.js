// Chooses the servers that a stream is sent on to.

import { html } from "./html.js";
import { Switch } from "./form.js";

/**
 * @import { Signal } from "@preact/signals"
 * @import { Relay } from "../types.js"
 */

/** @param {{ relays: Relay[], chosen: Signal<string[]> }} props */
export function RelayChoice({ relays, chosen }) {
  const isChosen = (/** @type {string} */ name) => chosen.value.includes(name);
  const set = (/** @type {string} */ name, /** @type {boolean} */ on) => (chosen.value = [...chosen.value.filter((other) => other !== name), ...(on ? [name] : [])]);
  return html`
    <fieldset class="field"><legend>Also send it to</legend>
      ${relays.map(({ name }) => html`<${Switch} key=${name} label=${name} value=${{ get value() { return isChosen(name); }, set value(on) { set(name, on); } }} />`)}
    </fieldset>`;
}
