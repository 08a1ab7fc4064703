// For the owner: RTMP servers that streams can be sent on to. A key is typed in and never shown again.

import { api } from "../../site/api.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import { Field, Form, Submit } from "../../parts/form.js";
import { html, useEffect, useSignal } from "../../parts/html.js";
import { Icon } from "../../parts/icon.js";
import { Refusal, useTask } from "../../parts/task.js";

/** @import { Relay } from "../../types.js" */

const FIELDS = ["name", "url", "key"];
const URL_HINT = "As the service shows it, such as rtmp://a.rtmp.youtube.com/live2.";

export function Relays() {
  const task = useTask();
  const relays = useSignal(/** @type {Relay[]} */ ([]));
  const [name, url, key] = [useSignal(""), useSignal(""), useSignal("")];
  const dialog = useSignal(/** @type {null | { does: "change" | "delete", relay: Relay }} */ (null));
  const load = async () => (relays.value = (await api.get("/relays")).items);
  useEffect(() => void task.run(load), []);
  const close = () => (dialog.value = null);
  const add = async () => {
    await api.post("/relays", { name: name.value, url: url.value, ...(key.value ? { key: key.value } : {}) });
    name.value = url.value = key.value = "";
    await load();
  };
  const open = dialog.value;
  return html`
    <p>Streams can be sent on to RTMP servers such as YouTube and Twitch while people watch them here. Whoever goes live chooses.</p>
    <ul class="rows">
      ${relays.value.map((relay) => html`
        <li key=${relay.name} class="row"><span class="grow"><strong>${relay.name}</strong> <span class="quiet">${relay.url}</span>
            ${!relay.has_key && html` <span class="tag">No key</span>`}${relay.configured && html` <span class="tag">In perch.toml</span>`}</span>
          ${!relay.configured && html`
            <button class="button quiet square" type="button" aria-label="Change ${relay.name}" onClick=${() => (dialog.value = { does: "change", relay })}><${Icon} name="edit" /></button>
            <button class="button quiet square" type="button" aria-label="Delete ${relay.name}" onClick=${() => (dialog.value = { does: "delete", relay })}><${Icon} name="trash" /></button>`}
        </li>`)}
    </ul>
    <h3>New relay</h3>
    <${Form} task=${task} work=${add}>
      <${Field} label="Name" name="name" task=${task} value=${name} maxlength="32" hint="Such as youtube: small letters, digits and -." required />
      <${Field} label="Address" name="url" task=${task} value=${url} maxlength="1000" inputmode="url" hint=${URL_HINT} required />
      <${Field} label="Stream key" name="key" task=${task} value=${key} type="password" autocomplete="off" maxlength="500" hint="It is not shown again, and backups leave it out." />
      <${Refusal} task=${task} fields=${FIELDS} />
      <${Submit} task=${task}>Add<//>
    <//>
    ${open?.does === "change" && html`<${Change} relay=${open.relay} onChanged=${load} onClose=${close} />`}
    ${open?.does === "delete" && html`<${Confirm} title="Delete the relay ${open.relay.name}?" words="Streams are no longer sent there, and its key is forgotten." action="Delete relay" onClose=${close}
      work=${async () => { await api.delete(`/relays/${open.relay.name}`); await load(); }} />`}`;
}

/** @param {{ relay: Relay, onChanged: () => Promise<unknown>, onClose: () => void }} props */
function Change({ relay, onChanged, onClose }) {
  const task = useTask();
  const [url, key] = [useSignal(relay.url), useSignal("")];
  const work = async () => {
    await api.patch(`/relays/${relay.name}`, { ...(url.value === relay.url ? {} : { url: url.value }), ...(key.value ? { key: key.value } : {}) });
    await onChanged();
    onClose();
  };
  return html`
    <${Dialog} title="Change ${relay.name}" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Field} label="Address" name="url" task=${task} value=${url} maxlength="1000" inputmode="url" hint=${URL_HINT} required />
        <${Field} label="New stream key" name="key" task=${task} value=${key} type="password" autocomplete="off" maxlength="500" hint="Leave it empty to keep the present one." />
        <${Refusal} task=${task} fields=${FIELDS} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Save<//></footer>
      <//>
    <//>`;
}
