// For the owner: what recordings take of the card, how long they are kept, and which there are.

import { api, asProblem } from "../../site/api.js";
import { deleteLater } from "../../site/undo.js";
import { asClock, asDate, asSize, nameOf } from "../../site/words.js";
import { html, useEffect, useMemo, useSignal } from "../../parts/html.js";
import { Paged, Pages } from "../../parts/list.js";
import { usePoll } from "../../parts/poll.js";
import { toast } from "../../parts/toast.js";
import { CardPart } from "./card.js";

/** @import { Recording, Storage } from "../../types.js" */

const LOOK = 10_000;

export function RecordingsPart() {
  const storage = useSignal(/** @type {Storage | null} */ (null));
  const problem = useSignal("");
  usePoll(async () => {
    try {
      storage.value = await api.get("/storage");
      problem.value = "";
    } catch (error) {
      problem.value = asProblem(error).message;
    }
    return LOOK;
  }, []);
  const pages = useMemo(() => /** @type {Pages<Recording>} */ (new Pages("/recordings", { limit: 50 })), []);
  useEffect(() => void pages.first(), [pages]);
  const now = storage.value;
  return html`
    ${problem.value && html`<p class="refusal" role="alert">${problem.value}</p>`}
    ${now?.trouble && html`<p class="notice" role="status">${now.trouble}</p>`}
    ${now && html`
      ${now.budget_bytes !== null && html`<label class="usage"><span>${asSize(now.used_bytes)} of ${asSize(now.budget_bytes)} used by ${now.recordings === 1 ? "1 recording" : `${now.recordings} recordings`}</span>
        <meter min="0" max=${now.budget_bytes} high=${now.budget_bytes * 0.9} value=${now.used_bytes}></meter></label>`}
      <dl class="facts">${facts(now).map(([name, words]) => words && html`<div key=${name}><dt>${name}</dt><dd>${words}</dd></div>`)}</dl>
      ${now.disk && html`<${CardPart} disk=${now.disk} />`}`}
    <h3>All recordings</h3>
    <${Paged} pages=${pages} each=${(/** @type {Recording} */ recording) => html`<${Row} key=${recording.stream} recording=${recording} pages=${pages} />`}
      empty=${html`<p>Nothing has been recorded yet. Tick Record when you go live.</p>`} />`;
}

/** @param {Storage} storage @returns {[string, string | null][]} */
function facts({ total_bytes, free_bytes, written_bytes_per_hour, written_bytes_per_day, keeps_days, keep_days, goes_next, folder }) {
  return [
    ["Free on the card", free_bytes === null || total_bytes === null ? "The folder is missing" : `${asSize(free_bytes)} of ${asSize(total_bytes)}`],
    ["At this rate you keep", keeps_days === null ? null : inWords(keeps_days)],
    ["One hour takes", written_bytes_per_hour === null ? null : asSize(written_bytes_per_hour)],
    ["Recorded a day", written_bytes_per_day > 0 ? asSize(written_bytes_per_day) : null],
    ["Deleted after", keep_days === null ? null : `${keep_days} days`],
    ["Deleted next", goes_next ? `${goes_next.name} (${asSize(goes_next.bytes)})` : null],
    ["Folder", folder],
  ];
}

/** @param {number} days */
function inWords(days) {
  if (days < 2) return `${Math.round(days * 24)} hours`;
  return days < 730 ? `${Math.round(days)} days` : "more than two years";
}

/** @param {{ recording: Recording, pages: Pages<Recording> }} props */
function Row({ recording, pages }) {
  const { stream, title, user, started_at, duration_seconds, bytes, pinned, is_growing } = recording;
  const put = (/** @type {Recording} */ news) => (pages.items.value = pages.items.value?.map((one) => (one.stream === stream ? news : one)) ?? null);
  const pin = async () => {
    try {
      put(await api.patch(`/recordings/${stream}`, { pinned: !pinned }));
    } catch (error) {
      toast(asProblem(error).message);
    }
  };
  const remove = () => {
    const before = pages.items.value;
    const undo = deleteLater(`/recordings/${stream}`, (problem) => {
      if (!problem) return;
      toast(asProblem(problem).message);
      void pages.first();
    }, api.delete);
    pages.items.value = before?.filter((one) => one.stream !== stream) ?? null;
    toast("Recording deleted.", null, { words: "Undo", act: () => (undo(), (pages.items.value = before)) });
  };
  return html`
    <li class="row recording-row">
      <div class="grow"><a href="/watch/${stream}">${title}</a>
        <p class="quiet">${nameOf(user)} · ${asDate(started_at)} · ${is_growing ? "recording now" : asClock(duration_seconds)} · ${asSize(bytes)}</p></div>
      <button class="button" type="button" aria-pressed=${pinned} aria-label="${pinned ? "Pinned" : "Pin"}: ${title}" onClick=${pin}>${pinned ? "Pinned" : "Pin"}</button>
      ${!is_growing && html`<button class="button danger" type="button" aria-label="Delete: ${title}" onClick=${remove}>Delete</button>`}
    </li>`;
}
