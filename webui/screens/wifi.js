// Chooses the board's Wi-Fi. On the access point of a board that knows none, phones open this screen by themselves.

import { api, asProblem, sentence } from "../site/api.js";
import { me } from "../site/session.js";
import { html, useSignal } from "../parts/html.js";
import { Field, Form, Submit } from "../parts/form.js";
import { LogInFirst } from "../parts/loginfirst.js";
import { usePoll } from "../parts/poll.js";
import { Refusal, useTask } from "../parts/task.js";
import { useTitle } from "../parts/title.js";

/** @import { Wifi, WifiNetwork } from "../types.js" */

const LOOK = 5000;
/** The choice of a network that is not in the list. */
const OTHER = "";

export function Screen() {
  useTitle("Wi-Fi");
  const wifi = useSignal(/** @type {Wifi | null} */ (null));
  const problem = useSignal(/** @type {import("../site/api.js").Problem | null} */ (null));
  const joins = useSignal("");
  usePoll(async () => {
    // The board is leaving this network, so it no longer answers here.
    if (joins.value) return 0;
    try {
      wifi.value = await api.get("/system/wifi");
      problem.value = null;
    } catch (error) {
      problem.value = asProblem(error);
    }
    return LOOK;
  }, [me.value?.username]);
  const now = wifi.value;
  if (joins.value && now) return html`<${GoOn} wifi=${now} ssid=${joins.value} />`;
  if (problem.value?.code === "unauthenticated") return html`<${LogInFirst} words="Only the owner can change Perch's Wi-Fi." />`;
  if (problem.value?.code === "not_found") return html`<div class="empty"><h1>Wi-Fi</h1><p>Perch does not manage this machine's Wi-Fi.</p></div>`;
  if (!now) return html`<p class="waiting" role="status">${problem.value?.message ?? "Loading"}</p>`;
  return html`
    <div class="gate">
      <h1>Wi-Fi for Perch</h1>
      ${now.state !== "access_point" && html`<p role="status">${inWords(now)}</p>`}
      ${now.problem && html`<p class="refusal" role="alert">${sentence(now.problem)}</p>`}
      ${now.setup_code && html`<${Code} code=${now.setup_code} />`}
      <${Choose} wifi=${now} joins=${joins} />
    </div>`;
}

/** @param {Wifi} wifi */
function inWords({ state, ssid }) {
  if (state === "joined") return `Perch is connected to ${ssid}.`;
  return state === "joining" ? `Perch is joining ${ssid}.` : "Perch is not connected to a Wi-Fi network.";
}

/** @param {{ code: string }} props */
function Code({ code }) {
  return html`
    <div class="notice">
      <p>Write this code down first. You need it to become the owner, once Perch is on your Wi-Fi.</p>
      <p><strong class="wifi-code">${code}</strong></p>
    </div>`;
}

/** @param {{ wifi: Wifi, joins: import("@preact/signals").Signal<string> }} props */
function Choose({ wifi, joins }) {
  const task = useTask();
  const picked = useSignal(/** @type {string | null} */ (null));
  const name = useSignal("");
  const password = useSignal("");
  const isOther = picked.value === OTHER;
  const network = wifi.networks.find(({ ssid }) => ssid === picked.value);
  const ssid = isOther ? name.value : (network?.ssid ?? "");
  const work = async () => {
    await api.put("/system/wifi", { ssid, ...(password.value ? { password: password.value } : {}) });
    joins.value = ssid;
  };
  return html`
    <${Form} task=${task} work=${work}>
      <fieldset class="wifi-networks">
        <legend>Choose a network</legend>
        ${wifi.networks.map((one) => html`<${Network} key=${one.ssid} network=${one} picked=${picked} />`)}
        <label class="wifi-network"><input type="radio" name="network" checked=${isOther} onChange=${() => (picked.value = OTHER)} /><span>Another network</span></label>
      </fieldset>
      ${isOther && html`<${Field} label="Network name" name="ssid" task=${task} value=${name} autocomplete="off" autocapitalize="none" spellcheck=${false} required />`}
      ${(isOther || network?.secured) && html`<${Field} label="Network password" name="password" task=${task} value=${password} type="password" autocomplete="off"
        hint=${isOther ? "Leave empty if there is none." : ""} />`}
      <${Refusal} task=${task} fields=${isOther ? ["ssid", "password"] : ["password"]} />
      ${picked.value !== null && html`<${Submit} task=${task}>Join<//>`}
    <//>`;
}

/** @param {{ network: WifiNetwork, picked: import("@preact/signals").Signal<string | null> }} props */
function Network({ network: { ssid, signal_percent, secured, joinable }, picked }) {
  const about = joinable ? (secured ? `${signal_percent} %` : `open, ${signal_percent} %`) : "not supported";
  return html`
    <label class="wifi-network">
      <input type="radio" name="network" disabled=${!joinable} checked=${picked.value === ssid} onChange=${() => (picked.value = ssid)} />
      <span>${ssid}</span><span class="aside">${about}</span>
    </label>`;
}

/** @param {{ wifi: Wifi, ssid: string }} props */
function GoOn({ wifi: { address, setup_code }, ssid }) {
  return html`
    <div class="gate" role="status">
      <h1>Perch is joining ${ssid}</h1>
      <p>Connect this phone or computer to ${ssid}, too, and open <strong>${address}</strong> in the browser.</p>
      ${setup_code && html`<p>Setup code: <strong class="wifi-code">${setup_code}</strong></p>`}
      <p>If another Perch there has this name, open ${address.replace(/\.local$/, "-2.local")}. If Perch cannot join ${ssid}, its own Wi-Fi returns in a minute or two and shows why.</p>
    </div>`;
}
