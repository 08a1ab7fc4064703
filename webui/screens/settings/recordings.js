// Recordings: which there are; for the owner also what they take of the card, and how long they are kept.

import { api, asProblem } from "../../site/api.js";
import { deleteWithUndo } from "../../site/undo.js";
import { me } from "../../site/session.js";
import { asClock, asDate, asSize, count, nameOf } from "../../site/words.js";
import { Confirm } from "../../parts/dialog.js";
import { html, useEffect, useMemo, useRef, useSignal } from "../../parts/html.js";
import { Icon } from "../../parts/icon.js";
import { Paged, Pages } from "../../parts/list.js";
import { usePoll } from "../../parts/poll.js";
import { toast } from "../../parts/toast.js";
import { CardPart } from "./card.js";

/** @import { Recording, Storage } from "../../types.js" */

const LOOK = 10_000;

/** For an owner the card and everybody's recordings, for anybody else their own. */
export function RecordingsPart() {
  const isOwner = me.value?.role === "owner";
  const asked = useSignal("");
  const user = isOwner ? asked.value : me.value?.username ?? "";
  const pages = useMemo(() => /** @type {Pages<Recording>} */ (new Pages("/recordings", { user: user || undefined, limit: 50 })), [user]);
  useEffect(() => void pages.first(), [pages]);
  return html`
    ${isOwner && html`<${Card} />`}
    <h3>${isOwner ? "All recordings" : "Your recordings"}</h3>
    <div class="tools">
      ${isOwner && html`<${Search} label="Of user" onWords=${(/** @type {string} */ words) => (asked.value = words)} />`}
      ${user && pages.items.value?.length ? html`<${DeleteAll} user=${user} pages=${pages} />` : null}
    </div>
    <${Paged} pages=${pages} each=${(/** @type {Recording} */ recording) => html`<${Row} key=${recording.stream} recording=${recording} pages=${pages} />`}
      empty=${html`<p>${isOwner && user ? `There are no recordings of “${user}”.` : "Nothing has been recorded yet. Tick Record when you go live."}</p>`} />`;
}

/** @param {{ label: string, onWords: (words: string) => void }} props */
function Search({ label, onWords }) {
  const timer = useRef(0);
  const typed = (/** @type {any} */ event) => {
    const words = event.currentTarget.value.trim();
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onWords(words), 250);
  };
  return html`<form role="search" class="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}><${Icon} name="search" />
    <input type="search" aria-label=${label} placeholder=${label} autocapitalize="none" spellcheck=${false} onInput=${typed} /></form>`;
}

/** @param {{ user: string, pages: Pages<Recording> }} props */
function DeleteAll({ user, pages }) {
  const isAsking = useSignal(false);
  const isOwn = user === me.value?.username;
  const path = `/users/${encodeURIComponent(user)}/recordings`;
  const again = () => void pages.first();
  const work = async () => {
    const inWords = (/** @type {{ recordings: number }} */ { recordings }) => `${count(recordings, "recording")} deleted.`;
    if (await deleteWithUndo(path, inWords, again)) await pages.first();
  };
  return html`
    <button class="button danger" type="button" onClick=${() => (isAsking.value = true)}><${Icon} name="trash" />Delete all ${isOwn ? "of yours" : `of ${user}`}</button>
    ${isAsking.value && html`<${Confirm} title=${isOwn ? "Delete all your recordings?" : `Delete all recordings of ${user}?`} action="Delete all" work=${work} onClose=${() => (isAsking.value = false)}
      words="Pinned recordings go, too, and a recording that is running ends. Streams and chats stay. You can undo this for a moment." />`}`;
}

/** What recordings take of the card, and how it is. */
function Card() {
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
  const now = storage.value;
  return html`
    ${problem.value && html`<p class="refusal" role="alert">${problem.value}</p>`}
    ${now?.trouble && html`<p class="notice" role="status">${now.trouble}</p>`}
    ${now && html`
      ${now.budget_bytes !== null && html`<label class="usage"><span>${now.recordings === 0
        ? `Recordings may take ${asSize(now.budget_bytes)}`
        : `${asSize(now.used_bytes)} of ${asSize(now.budget_bytes)} used by ${count(now.recordings, "recording")}`}</span>
        <meter min="0" max=${now.budget_bytes} high=${now.budget_bytes * 0.9} value=${now.used_bytes}></meter></label>`}
      <dl class="facts">${facts(now).map(([name, words]) => words && html`<div key=${name}><dt>${name}</dt><dd>${words}</dd></div>`)}</dl>
      ${now.disk && html`<${CardPart} disk=${now.disk} />`}`}`;
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
  const remove = async () => {
    const before = pages.items.value;
    pages.items.value = before?.filter((one) => one.stream !== stream) ?? null;
    if (!(await deleteWithUndo(`/recordings/${stream}`, () => "Recording deleted.", () => void pages.first()))) pages.items.value = before;
  };
  return html`
    <li class="row recording-row">
      <div class="grow"><a href="/watch/${stream}">${title}</a>
        <p class="quiet">${nameOf(user)} · ${asDate(started_at)} · ${is_growing ? "recording now" : asClock(duration_seconds)} · ${asSize(bytes)}</p></div>
      <button class="button" type="button" aria-pressed=${pinned} aria-label="${pinned ? "Pinned" : "Pin"}: ${title}" onClick=${pin}>${pinned ? "Pinned" : "Pin"}</button>
      ${!is_growing && html`<button class="button danger" type="button" aria-label="Delete: ${title}" onClick=${remove}>Delete</button>`}
    </li>`;
}
