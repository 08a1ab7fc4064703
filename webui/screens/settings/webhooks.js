// For the owner: addresses of other programs that are told what happens here, and what became of it. A secret is shown once.

import { api, asProblem } from "../../site/api.js";
import { ago, asDuration } from "../../site/words.js";
import { CopyField } from "../../parts/copyfield.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import { Field, Form, Submit, Switch } from "../../parts/form.js";
import { html, useSignal } from "../../parts/html.js";
import { Icon } from "../../parts/icon.js";
import { usePoll } from "../../parts/poll.js";
import { Refusal, useTask } from "../../parts/task.js";
import { toast } from "../../parts/toast.js";

/**
 * @import { List, MadeWebhook, Webhook, WebhookDelivery, WebhookEvent } from "../../types.js"
 */

/** @type {[WebhookEvent, string][]} */
const EVENTS = [
  ["stream.started", "A stream starts"],
  ["stream.ended", "A stream ends"],
  ["recording.ready", "A recording is ready"],
  ["relay.failed", "A relay fails"],
  ["camera.fault", "A camera fails"],
  ["storage.low", "The card is nearly full"],
  ["chat.message", "Somebody writes in a chat"],
];
/** Milliseconds between two requests. */
const LOOK = 3000;

/** @param {string} event */
const eventWords = (event) => EVENTS.find(([key]) => key === event)?.[1] ?? "Test";

/** @param {WebhookDelivery} delivery */
function outcome({ state, status, detail, tries, next_in_seconds }) {
  if (state === "delivered") return `Delivered (${status})`;
  if (state === "failed") return `Given up after ${tries} tries: ${detail}`;
  if (tries === 0) return "Being sent";
  return `${detail}. ${next_in_seconds ? `Next try in ${asDuration(next_in_seconds)}` : "Trying again"}`;
}

export function Webhooks() {
  const webhooks = useSignal(/** @type {Webhook[] | null} */ (null));
  const problem = useSignal("");
  const dialog = useSignal(/** @type {null | { does: "add" } | { does: "change" | "delete" | "look", webhook: Webhook }} */ (null));
  const load = async (/** @type {AbortSignal | undefined} */ signal = undefined) => {
    webhooks.value = (await api.get("/webhooks", signal ? { signal } : {})).items;
  };
  usePoll(async (signal) => {
    try {
      await load(signal);
      problem.value = "";
    } catch (error) {
      if (signal.aborted) throw error;
      problem.value = asProblem(error).message;
    }
    return LOOK * 10;
  }, []);
  const close = () => (dialog.value = null);
  const open = dialog.value;
  const all = webhooks.value;
  return html`
    <p>Other programs can be told what happens here: Perch sends them a signed message.</p>
    <p class="refusal" role="alert">${problem.value}</p>
    ${all && all.length > 0 && html`<ul class="rows">${all.map((webhook) => html`
      <li key=${webhook.id} class="row"><div class="grow"><strong>${new URL(webhook.url).host}</strong>${!webhook.enabled && html` <span class="tag">Off</span>`}
          <p class="quiet">${webhook.events.map(eventWords).join(", ")}</p></div>
        <button class="button" type="button" aria-label="Deliveries to ${new URL(webhook.url).host}" onClick=${() => (dialog.value = { does: "look", webhook })}>Deliveries</button>
        <button class="button quiet square" type="button" aria-label="Change ${new URL(webhook.url).host}" onClick=${() => (dialog.value = { does: "change", webhook })}><${Icon} name="edit" /></button>
        <button class="button quiet square" type="button" aria-label="Delete ${new URL(webhook.url).host}" onClick=${() => (dialog.value = { does: "delete", webhook })}><${Icon} name="trash" /></button>
      </li>`)}</ul>`}
    ${all && html`<p><button class="button ${all.length ? "" : "primary"}" type="button" onClick=${() => (dialog.value = { does: "add" })}><${Icon} name="plus" />New webhook</button></p>`}
    ${open?.does === "add" && html`<${Edit} onSaved=${load} onClose=${close} />`}
    ${open?.does === "change" && html`<${Edit} webhook=${open.webhook} onSaved=${load} onClose=${close} />`}
    ${open?.does === "look" && html`<${Deliveries} webhook=${open.webhook} onClose=${close} />`}
    ${open?.does === "delete" && html`<${Confirm} title="Delete this webhook?" words="${new URL(open.webhook.url).host} is told nothing more, also nothing that waits." action="Delete webhook" onClose=${close}
      work=${async () => { await api.delete(`/webhooks/${open.webhook.id}`); await load(); }} />`}`;
}

/** @param {{ webhook?: Webhook, onSaved: () => Promise<unknown>, onClose: () => void }} props */
function Edit({ webhook, onSaved, onClose }) {
  const task = useTask();
  const [url, enabled] = [useSignal(webhook?.url ?? ""), useSignal(webhook?.enabled ?? true)];
  const chosen = useSignal(/** @type {WebhookEvent[]} */ (webhook?.events ?? ["stream.started", "stream.ended"]));
  const made = useSignal(/** @type {MadeWebhook | null} */ (null));
  const set = (/** @type {WebhookEvent} */ event, /** @type {boolean} */ on) => (chosen.value = [...chosen.value.filter((other) => other !== event), ...(on ? [event] : [])]);
  const work = async () => {
    const body = { url: url.value, events: chosen.value };
    if (webhook) await api.patch(`/webhooks/${webhook.id}`, { ...body, enabled: enabled.value });
    else made.value = await api.post("/webhooks", body);
    await onSaved();
    if (webhook) onClose();
  };
  if (made.value) {
    return html`
      <${Dialog} title="The webhook's secret" onClose=${onClose}>
        <${CopyField} label="Secret" value=${made.value.secret} hint="The other program checks with it that a message is from here. Copy it now: Perch does not show it again." isSecret />
        <footer><button class="button primary" type="button" onClick=${onClose}>Done</button></footer>
      <//>`;
  }
  return html`
    <${Dialog} title=${webhook ? "Change the webhook" : "New webhook"} onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Field} label="Address" name="url" task=${task} value=${url} maxlength="1000" inputmode="url" autocapitalize="none" hint="Such as https://example.org/hook." required />
        <fieldset class="field"><legend>It is told when</legend>
          ${EVENTS.map(([event, words]) => html`<${Switch} key=${event} label=${words} value=${{ get value() { return chosen.value.includes(event); }, set value(on) { set(event, on); } }} />`)}
        </fieldset>
        ${webhook && html`<${Switch} label="Switched on" value=${enabled} />`}
        <${Refusal} task=${task} fields=${["url"]} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>${webhook ? "Save" : "Add"}<//></footer>
      <//>
    <//>`;
}

/** @param {{ webhook: Webhook, onClose: () => void }} props */
function Deliveries({ webhook, onClose }) {
  const task = useTask();
  const deliveries = useSignal(/** @type {WebhookDelivery[] | null} */ (null));
  const load = async (/** @type {AbortSignal | undefined} */ signal = undefined) => {
    /** @type {List<WebhookDelivery>} */
    const { items } = await api.get(`/webhooks/${webhook.id}/deliveries`, signal ? { signal } : {});
    deliveries.value = items;
  };
  usePoll(async (signal) => {
    await load(signal).catch((error) => {
      // What is shown stays until the next answer.
      if (signal.aborted) throw error;
    });
    return LOOK;
  }, [webhook.id]);
  const test = async () => {
    await task.run(async () => { await api.post(`/webhooks/${webhook.id}/test`); await load(); });
    if (!task.problem.value) toast("A test is on its way.");
  };
  const all = deliveries.value;
  return html`
    <${Dialog} title="Deliveries to ${new URL(webhook.url).host}" onClose=${onClose}>
      ${all?.length === 0 && html`<p>Nothing yet.</p>`}
      ${all && all.length > 0 && html`<ul class="rows">${all.map((delivery) => html`
        <li key=${delivery.id} class="row"><div class="grow"><strong>${eventWords(delivery.event)}</strong> <span class="quiet">${ago(delivery.created_at)}</span>
          <p class="quiet">${outcome(delivery)}</p></div></li>`)}</ul>`}
      <${Refusal} task=${task} />
      <footer><button class="button" type="button" aria-disabled=${task.busy.value} onClick=${test}>Send a test</button>
        <button class="button primary" type="button" onClick=${onClose}>Close</button></footer>
    <//>`;
}
