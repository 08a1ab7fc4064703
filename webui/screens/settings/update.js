// For the owner: installs an update of the whole system from a file, and shows its progress, across the board's restart and reloads of the page.

import { api, asProblem, Problem, sentence } from "../../site/api.js";
import { asSize } from "../../site/words.js";
import { computed, html, signal, useId, useLayoutEffect, useRef, useSignal } from "../../parts/html.js";
import { usePoll } from "../../parts/poll.js";
import { Refusal, Task } from "../../parts/task.js";

/** @import { Update } from "../../types.js" */

const LOOK = 5000;
const LOOK_SOON = 2000;
/** Enough for a large file over a weak wireless network, and for the card to write it, milliseconds. */
const TRANSFER = 3_600_000;
/** A start, a failed trial and the return together take less, minutes. */
const PATIENCE = 15;

// They outlive the screen: the upload continues while another screen is shown.
const update = signal(/** @type {Update | null} */ (null));
const sending = signal(/** @type {{ name: string, size: number, sent: number } | null} */ (null));
/** For how many minutes the board has not answered; null: it answers. */
const away = signal(/** @type {number | null} */ (null));
/** Unix milliseconds. */
let lastHeard = Date.now();
/** This page has seen an update, so its own files may be the old system's. */
const hasSeenOne = signal(false);
const task = new Task();
let cancel = () => {};

/** While true, the board may be unreachable for a while. */
export const isUnderWay = computed(() => ["installing", "restarting", "trial"].includes(update.value?.state ?? ""));

/** @param {{ version: string }} props */
export function UpdatePart({ version }) {
  const isSending = sending.value !== null;
  usePoll(async (gone) => {
    try {
      update.value = await api.get("/system/update", { signal: gone });
      away.value = null;
      lastHeard = Date.now();
    } catch (error) {
      // Other problems are shown above, with the board's state.
      if (error instanceof Problem && error.status === 0) away.value = Math.floor((Date.now() - lastHeard) / 60_000);
    }
    hasSeenOne.value ||= isUnderWay.value;
    return isUnderWay.value || update.value?.state === "arriving" ? LOOK_SOON : LOOK;
  }, [isSending]);
  const state = update.value?.state;
  return html`
    <h3>Update</h3>
    <p>This is Perch ${version}. An update is one file that ends in <code>.update</code>. Perch checks it, writes it beside the present system, and restarts the board. This takes some
      minutes, and nothing can be live meanwhile. Accounts, streams and settings stay. If the new system does not work, the board returns to this one by itself.</p>
    <${Progress} version=${version} />
    ${isSending && html`<${Sending} />`}
    <${Refusal} task=${task} />
    ${!isSending && state && !isUnderWay.value && state !== "arriving" && html`<${Choose} />`}`;
}

/** @param {{ version: string }} props */
function Progress({ version }) {
  const isBad = ["refused", "older", "left"].includes(update.value?.state ?? "");
  // A later refusal is shown below.
  const isNews = task.problem.value === null;
  const words = inWords(version);
  return html`
    <p role="status" class=${words && !isBad ? "notice" : ""}>${isUnderWay.value && html`<span class="busy" aria-hidden="true"></span>`}${isBad || !words ? null : html`<span>${words}</span>`}</p>
    <p class="refusal" role="alert">${isBad && isNews ? words : ""}</p>
    ${update.value?.state === "kept" && hasSeenOne.value && html`<p><button class="button" type="button" onClick=${() => location.reload()}>Reload this page</button></p>`}`;
}

/** @param {string} version */
function inWords(version) {
  if (sending.value) return sending.value.sent < sending.value.size ? "" : "The upload is complete. Perch is writing it to its card.";
  if (isUnderWay.value && away.value !== null) {
    return away.value < PATIENCE ? "The board is restarting and does not answer for a minute or two. Leave it switched on; this page continues by itself."
      : `The board has not answered for ${away.value} minutes. Switch it off and on again: it starts the last system that worked.`;
  }
  switch (update.value?.state) {
    case "arriving": return "An update is being uploaded from another page.";
    case "installing": return "Perch is checking the update and writing it beside the present system. Leave the board switched on.";
    case "restarting": return "The update is written, and the board is about to restart. Leave it switched on; this page continues by itself.";
    case "trial": return "The board has started the new system and is testing it.";
    case "kept": return `The update is installed and works: this is now Perch ${version}.`;
    case "left": return "The new system did not become ready, so the board has returned to the previous one. Nothing is lost.";
    case "refused": return `The update was not installed, and nothing was changed. ${sentence(update.value.problem ?? "")}`;
    case "older": return `The update was not installed, and nothing was changed. ${sentence(update.value.problem ?? "")}`;
    default: return "";
  }
}

/** @param {File} file @param {boolean} mayBeOlder */
function send(file, mayBeOlder) {
  const gaveUp = new AbortController();
  cancel = () => gaveUp.abort();
  const stay = (/** @type {Event} */ event) => event.preventDefault();
  addEventListener("beforeunload", stay);
  sending.value = { name: file.name, size: file.size, sent: 0 };
  task.run(async () => {
    try {
      await api.upload(`/system/update${mayBeOlder ? "?may_be_older=true" : ""}`, file, {
        signal: gaveUp.signal, patience: TRANSFER, onProgress: (sent) => (sending.value = { name: file.name, size: file.size, sent }),
      });
      update.value = { state: "installing", problem: null };
      hasSeenOne.value = true;
    } catch (error) {
      update.value = null;
      if (!gaveUp.signal.aborted) throw asProblem(error);
    }
  }).finally(() => {
    removeEventListener("beforeunload", stay);
    sending.value = null;
  });
}

function Choose() {
  const id = useId();
  const mayBeOlder = useSignal(false);
  const choose = (/** @type {any} */ event) => {
    const file = event.currentTarget.files[0];
    if (file) send(file, mayBeOlder.value);
  };
  // Offered only after one was refused: nobody should have to think about it.
  const isOffered = update.value?.state === "older";
  return html`
    ${isOffered && html`<p><label><input type="checkbox" checked=${mayBeOlder.value} onChange=${(/** @type {any} */ event) => (mayBeOlder.value = event.currentTarget.checked)} />
      Install an older version. What newer versions have fixed, security included, comes back.</label></p>`}
    <div>
      <label for=${id} class="sr-only">Install an update: choose the file</label>
      <span class="file"><input id=${id} type="file" accept=".update" onChange=${choose} /><span class="button" aria-hidden="true">Install an update…</span></span>
    </div>`;
}

function Sending() {
  const id = useId();
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  // The button that had the focus has gone.
  useLayoutEffect(() => button.current?.focus(), []);
  if (!sending.value) return null;
  const { name, size, sent } = sending.value;
  const part = sent < size ? sent / size : 1;
  return html`
    <div class="upload">
      <label for=${id}>Uploading ${name}</label>
      <progress id=${id} max="1" value=${part}></progress>
      <p class="quiet">${Math.floor(part * 100)} % of ${asSize(size)}</p>
      <button ref=${button} class="button" type="button" onClick=${() => cancel()}>Cancel</button>
    </div>`;
}
