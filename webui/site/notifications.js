// The user's notifications as they happen (Server-Sent Events). Only while the page is visible: a browser has six connections
// per site, so a hidden page holds none.

import { effect } from "../vendor/signals.js";
import { toast } from "../parts/toast.js";
import { at } from "./base.js";
import { renew } from "./login.js";
import { learnOfMe, me } from "./session.js";
import { ENDED_BY, nameOf, NOT_RECORDED } from "./words.js";

/** @import { EndReason, Notification, RecordingTrouble } from "../types.js" */

/** Milliseconds before asking again, at first and at most. */
const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 60_000;

/** The text of a notification, and its link. @param {Notification} news @returns {{ words: string, to: string }} */
export function inWords({ kind, by, stream, reason }) {
  const who = by ? nameOf(by) : "Somebody";
  const title = stream ? `“${stream.title}”` : "a stream";
  const profile = by ? `/u/${encodeURIComponent(by.username)}` : "/";
  const whose = !by || by.username === me.peek()?.username ? "" : `${who}: `;
  const watch = stream ? `/watch/${stream.id}` : "/";
  switch (kind) {
    case "went_live": return { words: `${who} is live: ${title}`, to: watch };
    case "account_waiting": return { words: `${who} has registered and waits for your approval`, to: "/settings/people?standing=pending" };
    case "followed": return { words: `${who} follows you`, to: profile };
    case "stream_stopped": return { words: `Your stream ${title} was ${ENDED_BY[/** @type {EndReason} */ (reason)] ?? "stopped"}`, to: watch };
    case "recording_paused": return { words: `${whose}${title} is not being recorded: ${NOT_RECORDED[/** @type {RecordingTrouble} */ (reason)] ?? NOT_RECORDED.failing}. The stream itself goes on.`, to: watch };
    case "recording_went_on": return { words: `${whose}${title} is being recorded again`, to: watch };
  }
}

/** Sends an event "news" for each notification. */
export const newsCame = new EventTarget();

/** @type {EventSource | null} */
let source = null;
let pause = FIRST_PAUSE;
/** @type {number | undefined} */
let timer;

function open() {
  close();
  source = new EventSource(at("/api/v1/me/events"));
  source.addEventListener("open", () => (pause = FIRST_PAUSE));
  source.addEventListener("notification", (event) => {
    const { words, to } = inWords(JSON.parse(event.data));
    toast(words, to);
    newsCame.dispatchEvent(new Event("news"));
  });
  source.addEventListener("unread", (event) => {
    const told = JSON.parse(event.data);
    learnOfMe({ unread_notifications: typeof told === "number" ? told : told.unread });
  });
  source.addEventListener("error", async () => {
    // The browser reconnects after a lost connection, but not after a refusal.
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    await renew();
    clearTimeout(timer);
    timer = setTimeout(follow, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  });
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function follow() {
  const wanted = me.peek() && !document.hidden;
  if (wanted && !source) open();
  if (!wanted) close();
}

export function followNotifications() {
  document.addEventListener("visibilitychange", follow);
  let who = /** @type {string | undefined} */ (undefined);
  effect(() => {
    if (me.value?.username !== who) close();
    who = me.value?.username;
    follow();
  });
}
