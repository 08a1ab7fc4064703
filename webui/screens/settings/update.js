// For the owner: installs an update of the whole system from a file, and tells how it goes, over the restart of the board and over a reload of the page.

import { api, asProblem, Problem, sentence } from "../../site/api.js";
import { asSize } from "../../site/words.js";
import { computed, html, signal, useId, useLayoutEffect, useRef } from "../../parts/html.js";
import { usePoll } from "../../parts/poll.js";
import { Refusal, Task } from "../../parts/task.js";

/** @import { Update } from "../../types.js" */

const LOOK = 5000;
const LOOK_SOON = 2000;
/** For a large file over a weak wireless network, and for a card to take it, milliseconds. */
const TRANSFER = 3_600_000;
/** A start, a trial that fails and the way back take less, minutes. */
const PATIENCE = 15;

// They outlast the part: whoever looks at another one meanwhile finds it going on.
const update = signal(/** @type {Update | null} */ (null));
const sending = signal(/** @type {{ name: string, size: number, sent: number } | null} */ (null));
/** For how many minutes the board has not answered; null: it does. */
const away = signal(/** @type {number | null} */ (null));
/** Unix milliseconds. */
let lastHeard = Date.now();
/** This page has seen one go on: what it is made of may be the old system's. */
const hasSeenOne = signal(false);
const task = new Task();
let cancel = () => {};

/** The board may be away for a while, and that is as it should be. */
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
      // Whatever else it is, is told above with the rest of the board.
      if (error instanceof Problem && error.status === 0) away.value = Math.floor((Date.now() - lastHeard) / 60_000);
    }
    hasSeenOne.value ||= isUnderWay.value;
    return isUnderWay.value || update.value?.state === "arriving" ? LOOK_SOON : LOOK;
  }, [isSending]);
  const state = update.value?.state;
  return html`
    <h3>Update</h3>
    <p>Perch ${version} runs here. An update is one file that ends in <code>.update</code>. Perch checks it, writes it beside the system that runs, and restarts the board into it, which
      takes some minutes; nothing can be live meanwhile. Accounts, streams and settings stay. If the new system does not work, the board comes back to this one by itself.</p>
    <${Progress} version=${version} />
    ${isSending && html`<${Sending} />`}
    <${Refusal} task=${task} />
    ${!isSending && state && !isUnderWay.value && state !== "arriving" && html`<${Choose} />`}`;
}

/** @param {{ version: string }} props */
function Progress({ version }) {
  const isBad = update.value?.state === "refused" || update.value?.state === "left";
  // What was refused after that is said below.
  const isNews = task.problem.value === null;
  const words = inWords(version);
  return html`
    <p role="status" class=${words && !isBad ? "notice" : ""}>${isUnderWay.value && html`<span class="busy" aria-hidden="true"></span>`}${isBad || !words ? null : html`<span>${words}</span>`}</p>
    <p class="refusal" role="alert">${isBad && isNews ? words : ""}</p>
    ${update.value?.state === "kept" && hasSeenOne.value && html`<p><button class="button" type="button" onClick=${() => location.reload()}>Load this page anew</button></p>`}`;
}

/** @param {string} version */
function inWords(version) {
  if (sending.value) return sending.value.sent < sending.value.size ? "" : "All of it has left. Perch puts it on its card.";
  if (isUnderWay.value && away.value !== null) {
    return away.value < PATIENCE ? "The board restarts, and does not answer for a minute or two. Leave it switched on; this page goes on by itself."
      : `The board has not answered for ${away.value} minutes. Switch it off and on again: it starts the system that worked last.`;
  }
  switch (update.value?.state) {
    case "arriving": return "An update is being sent to Perch from another page.";
    case "installing": return "Perch checks the update and writes it beside the system that runs. Leave the board switched on.";
    case "restarting": return "The update is written, and the board restarts into it. Leave it switched on; this page goes on by itself.";
    case "trial": return "The board has started the new system, and sees whether it works.";
    case "kept": return `The update is installed, and it works: Perch ${version} runs now.`;
    case "left": return "The new system did not become ready, so the board has come back to the one from before. Nothing is lost.";
    case "refused": return `The update was not installed, and nothing was changed. ${sentence(update.value.problem ?? "")}`;
    default: return "";
  }
}

/** @param {File} file */
function send(file) {
  const gaveUp = new AbortController();
  cancel = () => gaveUp.abort();
  const stay = (/** @type {Event} */ event) => event.preventDefault();
  addEventListener("beforeunload", stay);
  sending.value = { name: file.name, size: file.size, sent: 0 };
  task.run(async () => {
    try {
      await api.upload("/system/update", file, {
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
  const choose = (/** @type {any} */ event) => {
    const file = event.currentTarget.files[0];
    if (file) send(file);
  };
  return html`
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
      <label for=${id}>Sending ${name}</label>
      <progress id=${id} max="1" value=${part}></progress>
      <p class="quiet">${Math.floor(part * 100)} % of ${asSize(size)}</p>
      <button ref=${button} class="button" type="button" onClick=${() => cancel()}>Cancel</button>
    </div>`;
}
