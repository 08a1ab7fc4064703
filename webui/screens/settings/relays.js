// For the owner: RTMP servers that streams can be sent on to, and how each is doing. A key is typed in and never shown again.

import { api, asProblem } from "../../site/api.js";
import { addressOf, freeName, needsHost, presetOf, PRESETS } from "../../site/relaypresets.js";
import { relayWords } from "../../site/relays.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import { Choice, Field, Form, Submit, Switch } from "../../parts/form.js";
import { html, useEffect, useSignal } from "../../parts/html.js";
import { Icon } from "../../parts/icon.js";
import { usePoll } from "../../parts/poll.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";

/**
 * @import { Signal } from "@preact/signals"
 * @import { Camera, List, Relay } from "../../types.js"
 */

const FIELDS = ["name", "url", "key", "cameras"];
const KEY_HINT = "Perch does not show it again.";
/** Milliseconds between two requests. */
const LOOK = 2000;

export function Relays() {
  const relays = useSignal(/** @type {Relay[] | null} */ (null));
  const problem = useSignal("");
  const cameras = useSignal(/** @type {string[]} */ ([]));
  const dialog = useSignal(/** @type {null | { does: "add" } | { does: "change" | "delete", relay: Relay }} */ (null));
  const load = async (/** @type {AbortSignal | undefined} */ signal = undefined) => {
    relays.value = (await api.get("/relays", signal ? { signal } : {})).items;
  };
  usePoll(async (signal) => {
    try {
      await load(signal);
      problem.value = "";
    } catch (error) {
      if (signal.aborted) throw error;
      problem.value = asProblem(error).message;
    }
    return LOOK;
  }, []);
  useEffect(() => void api.get("/cameras").then((/** @type {List<Camera>} */ { items }) => (cameras.value = items.map(({ name }) => name))).catch(() => {}), []);
  const close = () => (dialog.value = null);
  const open = dialog.value;
  const all = relays.value;
  return html`
    <p>Streams can be sent on to YouTube, Twitch and other servers while people watch them here. Whoever goes live chooses.</p>
    <p class="refusal" role="alert">${problem.value}</p>
    ${all && all.length > 0 && html`<ul class="rows">${all.map((relay) => html`<${One} key=${relay.name} relay=${relay} onDo=${(/** @type {"change" | "delete"} */ does) => (dialog.value = { does, relay })} />`)}</ul>`}
    ${all && html`<p><button class="button ${all.length ? "" : "primary"}" type="button" onClick=${() => (dialog.value = { does: "add" })}><${Icon} name="plus" />New relay</button></p>`}
    ${open?.does === "add" && html`<${Add} taken=${(all ?? []).map(({ name }) => name)} cameras=${cameras.value} onAdded=${load} onClose=${close} />`}
    ${open?.does === "change" && html`<${Change} relay=${open.relay} cameras=${cameras.value} onChanged=${load} onClose=${close} />`}
    ${open?.does === "delete" && html`<${Confirm} title="Delete the relay ${open.relay.name}?" words="Streams are no longer sent there, and its key is forgotten." action="Delete relay" onClose=${close}
      work=${async () => { await api.delete(`/relays/${open.relay.name}`); await load(); }} />`}`;
}

/** @param {{ relay: Relay, onDo: (does: "change" | "delete") => void }} props */
function One({ relay, onDo }) {
  const { name, url, has_key, configured, cameras, streams } = relay;
  return html`
    <li class="row"><div class="grow"><strong>${name}</strong> <span class="quiet">${url}</span>
        ${!has_key && html` <span class="tag">No key</span>`}${configured && html` <span class="tag">In perch.toml</span>`}
        ${cameras.length > 0 && html`<p class="quiet">By default for ${cameras.join(", ")}</p>`}
        ${streams.map((sent) => html`<p key=${sent.stream} class="relay-state"><a class="state" data-state=${sent.state} href="/watch/${sent.stream}">Stream</a> <span role="status">${relayWords(sent)}</span></p>`)}
      </div>
      ${!configured && html`
        <button class="button quiet square" type="button" aria-label="Change ${name}" onClick=${() => onDo("change")}><${Icon} name="edit" /></button>
        <button class="button quiet square" type="button" aria-label="Delete ${name}" onClick=${() => onDo("delete")}><${Icon} name="trash" /></button>`}
    </li>`;
}

/** Cameras whose streams are sent there unless whoever goes live chooses otherwise. @param {{ cameras: string[], chosen: Signal<string[]> }} props */
function ByDefault({ cameras, chosen }) {
  if (cameras.length === 0) return null;
  const set = (/** @type {string} */ camera, /** @type {boolean} */ on) => (chosen.value = [...chosen.value.filter((other) => other !== camera), ...(on ? [camera] : [])]);
  return html`
    <fieldset class="field"><legend>Preselect it for streams from</legend>
      ${cameras.map((camera) => html`<${Switch} key=${camera} label=${camera} value=${{ get value() { return chosen.value.includes(camera); }, set value(on) { set(camera, on); } }} />`)}
    </fieldset>`;
}

/** @param {{ taken: string[], cameras: string[], onAdded: () => Promise<unknown>, onClose: () => void }} props */
function Add({ taken, cameras, onAdded, onClose }) {
  const task = useTask();
  const service = useSignal("youtube");
  const preset = presetOf(service.value);
  const [name, host, url, key] = [useSignal(freeName(preset.name, taken)), useSignal(""), useSignal(preset.url), useSignal("")];
  const chosen = useSignal(/** @type {string[]} */ ([]));
  const choose = (/** @type {string} */ which) => {
    const now = presetOf(which);
    service.value = which;
    name.value = freeName(now.name, taken);
    url.value = needsHost(now) ? "" : now.url;
    host.value = "";
  };
  const isAsking = needsHost(preset);
  const work = async () => {
    await api.post("/relays", {
      name: name.value, url: isAsking ? addressOf(preset, host.value) : url.value, ...(key.value ? { key: key.value } : {}), cameras: chosen.value,
    });
    await onAdded();
    toast(`Streams can be sent to ${name.value} now.`);
    onClose();
  };
  return html`
    <${Dialog} title="New relay" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Choice} label="Service" name="service" task=${task} choices=${PRESETS.map(({ key, words }) => [key, words])}
          value=${{ get value() { return service.value; }, set value(which) { choose(which); } }} />
        ${isAsking
          ? html`<${Field} key="host" label="Server" name="url" task=${task} value=${host} maxlength="200" inputmode="url" autocapitalize="none" hint="Its name, such as live.example.org." required />`
          : html`<${Field} key="url" label="Address" name="url" task=${task} value=${url} maxlength="1000" inputmode="url" autocapitalize="none" hint=${service.value === "other" ? "Such as rtmp://live.example.org/app." : ""} required />`}
        <${Field} label="Stream key" name="key" task=${task} value=${key} type="password" autocomplete="off" maxlength="500" hint="${preset.where} ${KEY_HINT}" required=${service.value !== "other"} />
        <${Field} label="Name" name="name" task=${task} value=${name} maxlength="32" autocapitalize="none" hint="Small letters, digits and -." required />
        <${ByDefault} cameras=${cameras} chosen=${chosen} />
        <${Refusal} task=${task} fields=${FIELDS} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Add<//></footer>
      <//>
    <//>`;
}

/** @param {{ relay: Relay, cameras: string[], onChanged: () => Promise<unknown>, onClose: () => void }} props */
function Change({ relay, cameras, onChanged, onClose }) {
  const task = useTask();
  const [url, key, chosen] = [useSignal(relay.url), useSignal(""), useSignal(relay.cameras)];
  const work = async () => {
    await api.patch(`/relays/${relay.name}`, {
      ...(url.value === relay.url ? {} : { url: url.value }), ...(key.value ? { key: key.value } : {}), ...(cameras.length ? { cameras: chosen.value } : {}),
    });
    await onChanged();
    onClose();
  };
  return html`
    <${Dialog} title="Change ${relay.name}" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Field} label="Address" name="url" task=${task} value=${url} maxlength="1000" inputmode="url" autocapitalize="none" required />
        <${Field} label="New stream key" name="key" task=${task} value=${key} type="password" autocomplete="off" maxlength="500" hint="Leave it empty to keep the present one." />
        <${ByDefault} cameras=${cameras} chosen=${chosen} />
        <${Refusal} task=${task} fields=${FIELDS} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Save<//></footer>
      <//>
    <//>`;
}
