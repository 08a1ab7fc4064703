// For the owner: HTTPS with a certificate of Perch's own, and how devices get to trust it.

import { api, asProblem } from "../../site/api.js";
import { asDate } from "../../site/words.js";
import { CopyField } from "../../parts/copyfield.js";
import { Confirm } from "../../parts/dialog.js";
import { Switch } from "../../parts/form.js";
import { html, useEffect, useSignal } from "../../parts/html.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";

/** @import { Https } from "../../types.js" */
/** @typedef {import("../../parts/task.js").Task} Task */

export function HttpsPart() {
  const https = useSignal(/** @type {Https | null} */ (null));
  const task = useTask();
  useEffect(() => void task.run(async () => (https.value = await api.get("/https"))), []);
  const change = (/** @type {Https} */ news) => (https.value = news);
  const now = https.value;
  return html`
    <p>With HTTPS nobody on the network can read passwords or chats, and browsers allow notifications and full-screen apps.</p>
    <${Refusal} task=${task} />
    ${now?.source === "off" && html`<${SwitchOn} task=${task} onChange=${change} />`}
    ${now && now.source !== "off" && html`<${On} https=${now} onChange=${change} />`}`;
}

/** @param {{ task: Task, onChange: (news: Https) => void }} props */
function SwitchOn({ task, onChange }) {
  const work = async () => onChange(await api.patch("/https", { enabled: true }));
  return html`
    <p>Perch makes its own certificate, which works without the internet. Each phone and computer must be told once to trust it; this page then shows how. HTTP stays on beside it.</p>
    <p><button class="button primary" type="button" aria-disabled=${task.busy.value} onClick=${() => task.run(work)}>Switch HTTPS on</button></p>`;
}

/** @param {{ https: Https, onChange: (news: Https) => void }} props */
function On({ https, onChange }) {
  const isOwn = https.source === "own";
  return html`
    <div class="form">
      <${CopyField} label="Secure address" value=${https.address ?? ""} hint=${validity(https)} />
      <${Redirect} https=${https} onChange=${onChange} />
    </div>
    ${isOwn && html`<${Devices} https=${https} /><${Manage} https=${https} onChange=${onChange} />`}`;
}

/** @param {Https} https */
function validity({ source, expires_at, names }) {
  const until = expires_at ? `until ${asDate(expires_at)}` : "";
  return source === "own" ? `The certificate is valid ${until}, and Perch renews it by itself. It is for ${names.join(", ")}.` : `The certificate comes from files of the configuration. It is valid ${until}, for ${names.join(", ")}.`;
}

/** @param {{ https: Https, onChange: (news: Https) => void }} props */
function Redirect({ https, onChange }) {
  const set = async (/** @type {boolean} */ redirect) => {
    try {
      onChange(await api.patch("/https", { redirect }));
    } catch (error) {
      onChange({ ...https });
      toast(asProblem(error).message);
    }
  };
  return html`<${Switch} label="Always use HTTPS for the page" hint="Opens the secure address when somebody opens the other one. Devices that do not trust this Perch yet show a warning first. Players and programs may go on with HTTP."
    value=${{ get value() { return https.redirect; }, set value(on) { void set(on); } }} />`;
}

/** @param {{ https: Https }} props */
function Devices({ https }) {
  return html`
    <h3>Phones and computers</h3>
    <p>On each device, open <a href="/trust">${https.trust_address}</a> and follow the steps there. A phone gets there with this code:</p>
    <img class="qr" src="/api/v1/https/code.svg" width="240" height="240" alt="Code with the address ${https.trust_address}" />`;
}

/** @param {{ https: Https, onChange: (news: Https) => void }} props */
function Manage({ https, onChange }) {
  const asks = useSignal(/** @type {"" | "off" | "renew"} */ (""));
  const close = () => (asks.value = "");
  const { authority } = https;
  const off = async () => {
    onChange(await api.patch("/https", { enabled: false }));
    toast("HTTPS is off.");
  };
  const renew = async () => {
    onChange(await api.post("/https/authority"));
    toast("Tell your devices to trust the new authority.");
  };
  return html`
    <h3>Authority</h3>
    ${authority && html`<p>Devices show it as <strong>${authority.name}</strong>. It can sign certificates for this Perch's names and networks only. SHA-256 fingerprint:</p><p class="field-words fingerprint">${authority.fingerprint}</p>`}
    ${authority && authority.uncovered.length > 0 && html`<p class="notice">This Perch has new names or addresses that the authority cannot sign: ${authority.uncovered.join(", ")}. To use HTTPS with them, make a new authority.</p>`}
    <p class="field-words">Its key never leaves this board and is in no backup. If you restore a backup on another board, devices have to trust that one anew.</p>
    <p class="buttons">
      <button class="button" type="button" onClick=${() => (asks.value = "renew")}>Make a new authority…</button>
      <button class="button" type="button" onClick=${() => (asks.value = "off")}>Switch HTTPS off…</button>
    </p>
    ${asks.value === "off" && html`<${Confirm} title="Switch HTTPS off?" words="The secure address stops working. The authority is kept, so devices still trust it if you switch HTTPS on again." action="Switch off" onClose=${close} work=${off} />`}
    ${asks.value === "renew" && html`<${Confirm} title="Make a new authority?" words="Each phone and computer has to be told to trust the new one. Until then it shows a warning at the secure address." action="Make a new authority" onClose=${close} work=${renew} />`}`;
}
