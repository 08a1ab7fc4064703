// Discover: every stream of this site, live ones first; filtered by words and by topic.

import { address, go, hasComeBack, restorePlace } from "../site/addresses.js";
import { me, settings } from "../site/session.js";
import { loadTopics, topics } from "../site/topics.js";
import { Card, CardsToCome } from "../parts/cards.js";
import { mayGoLive } from "../parts/header.js";
import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../parts/html.js";
import { Icon } from "../parts/icon.js";
import { Paged, Pages } from "../parts/list.js";
import { LogInFirst } from "../parts/loginfirst.js";
import { usePoll } from "../parts/poll.js";
import { useTitle } from "../parts/title.js";

/** @import { Stream } from "../types.js" */

/** Interval for refreshing the first page, milliseconds; an unchanged page is not sent again. */
const AGAIN = 20_000;
/** A pause in typing this long starts the search, milliseconds. */
const TYPED = 250;

/** @type {Record<string, { words: string, query: Record<string, string>, empty: string }>} */
const SHOWS = {
  "": { words: "Everything", query: {}, empty: "Nothing has been streamed here yet." },
  live: { words: "Live now", query: { state: "live" }, empty: "Nobody is live at the moment." },
  recorded: { words: "Past streams", query: { state: "recorded" }, empty: "There are no past streams yet." },
  following: { words: "From people I follow", query: { following: "1" }, empty: "People you follow have not streamed yet." },
  saved: { words: "Saved", query: { saved: "1" }, empty: "Nothing saved yet. Save a stream to find it here." },
  liked: { words: "Liked", query: { liked: "1" }, empty: "Nothing liked yet." },
};
const FOR_MEMBERS = ["following", "saved", "liked"];
/** @type {[string, string][]} */
const SORTS = [["", "Live first"], ["newest", "Newest"], ["views", "Most viewed"]];

/** Lists shown recently, so that going back shows them unchanged. @type {Map<string, Pages<Stream>>} */
const lately = new Map();

/** @param {URLSearchParams} query */
function pagesOf(query) {
  const [q, topic, show, sort] = ["q", "topic", "show", "sort"].map((key) => query.get(key) ?? "");
  const key = JSON.stringify([me.value?.username, q, topic, show, sort]);
  let pages = lately.get(key);
  if (!pages) {
    pages = new Pages("/streams", { q, topic, sort: sort || (q ? "relevance" : "live"), limit: 24, ...SHOWS[show ?? ""]?.query });
    if (lately.size > 8) lately.clear();
    lately.set(key, pages);
  }
  return pages;
}

/** The address with one thing changed. @param {string} key @param {string} value */
function wayTo(key, value) {
  const query = new URLSearchParams(address.value.query);
  if (value) query.set(key, value);
  else query.delete(key);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

export function Screen() {
  const { query } = address.value;
  const who = me.value;
  const pages = pagesOf(query);
  const [q, topic, show, sort] = ["q", "topic", "show", "sort"].map((key) => query.get(key) ?? "");
  useTitle("");
  useEffect(() => void loadTopics().catch(() => {}), []);
  // Wait until the login is known: likes are part of the answer.
  usePoll(async () => {
    if (me.peek() === undefined) return 100;
    if (me.peek() === null && FOR_MEMBERS.includes(show ?? "")) return AGAIN;
    if (!pages.isLong) await pages.first();
    return AGAIN;
  }, [pages]);
  useLayoutEffect(() => {
    if (pages.items.peek() && hasComeBack()) restorePlace();
  }, [pages]);

  if (who === null && FOR_MEMBERS.includes(show ?? "")) return html`<${LogInFirst} words="Log in to see what you follow, like and have saved." />`;
  const shows = Object.entries(SHOWS).filter(([key]) => who || !FOR_MEMBERS.includes(key));
  return html`
    <div class="discover">
      <h1 class="sr-only">${settings.value?.site_name ?? "Perch"}: streams</h1>
      <div class="tools">
        <${Search} q=${q} />
        <${Pick} label="Show" value=${show} choices=${shows.map(([key, { words }]) => [key, words])} onPick=${(/** @type {string} */ key) => go(wayTo("show", key))} />
        <${Pick} label="Order" value=${sort} choices=${SORTS} onPick=${(/** @type {string} */ key) => go(wayTo("sort", key))} />
      </div>
      <nav class="tabs" aria-label="Topics">
        ${[{ id: "", name: "All" }, ...topics.value].map(({ id, name }) => html`
          <a key=${id} href=${wayTo("topic", id)} aria-current=${id === topic ? "true" : null}>${name}</a>`)}
      </nav>
      <h2 class="sr-only">Streams</h2>
      <${Paged} pages=${pages} as="cards" waiting=${html`<${CardsToCome} />`} each=${(/** @type {Stream} */ stream) => html`<${Card} key=${stream.id} stream=${stream} />`}
        empty=${html`<${Empty} q=${q} topic=${topic} words=${SHOWS[show ?? ""]?.empty ?? ""} />`} />
    </div>`;
}

/** @param {{ q: string | undefined, topic: string | undefined, words: string }} props */
function Empty({ q, topic, words }) {
  const mark = html`<div class="perched" aria-hidden="true"></div>`;
  if (q) return html`${mark}<p>Nothing found for “${q}”.</p><p><a class="button" href=${wayTo("q", "")}>Show everything</a></p>`;
  if (topic) return html`${mark}<p>Nothing on this topic yet.</p><p><a class="button" href=${wayTo("topic", "")}>All topics</a></p>`;
  return html`${mark}<p>${words}</p>${me.value && mayGoLive(me.value.role) && html`<p><a class="button primary" href="/live">Go live</a></p>`}`;
}

/** @param {{ q: string | undefined }} props */
function Search({ q = "" }) {
  const typed = useSignal(q);
  const timer = useRef(0);
  useEffect(() => {
    typed.value = q;
  }, [q]);
  const search = () => {
    clearTimeout(timer.current);
    go(wayTo("q", typed.value.trim()), { replace: true });
  };
  const onInput = (/** @type {any} */ event) => {
    typed.value = event.currentTarget.value;
    clearTimeout(timer.current);
    timer.current = setTimeout(search, TYPED);
  };
  return html`
    <form role="search" class="search" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), search())}>
      <${Icon} name="search" />
      <input type="search" name="q" aria-label="Search streams" placeholder="Search" maxlength="100" value=${typed.value} onInput=${onInput} />
    </form>`;
}

/** @param {{ label: string, value: string | undefined, choices: [string, string][], onPick: (key: string) => void }} props */
function Pick({ label, value = "", choices, onPick }) {
  return html`
    <select aria-label=${label} value=${value} onChange=${(/** @type {any} */ event) => onPick(event.currentTarget.value)}>
      ${choices.map(([key, words]) => html`<option key=${key} value=${key} selected=${key === value}>${words}</option>`)}
    </select>`;
}
