// Streams as cards: picture, title, user, viewers.

import { ago, asClock, asSize, count, nameOf, short } from "../site/words.js";
import { html } from "./html.js";
import { Avatar, profileOf } from "./person.js";

/** @import { Stream } from "../types.js" */

/** @param {Stream} stream */
export const isOnAir = (stream) => stream.state !== "ended";

/** @param {{ stream: Stream }} props */
export function Picture({ stream }) {
  return html`
    <div class="picture">
      ${stream.thumbnail_url
        ? html`<img src=${stream.thumbnail_url} alt="" width="640" height="360" loading="lazy" decoding="async" />`
        : html`<div class="no-picture" aria-hidden="true"></div>`}
      ${isOnAir(stream)
        ? html`<span class="tag live">${stream.state === "interrupted" ? "Interrupted" : "Live"}</span>
            <span class="tag low">${short(stream.viewers)} watching</span>`
        : stream.recording
          ? html`<span class="tag low"><span class="sr-only">Recording, </span><span aria-hidden="true">▶ </span>${asClock(stream.recording.duration_seconds)}</span>`
          : html`<span class="tag low">Not recorded</span>`}
      ${stream.visibility === "members" && html`<span class="tag right">Members</span>`}
    </div>`;
}

/** @param {{ stream: Stream, withUser?: boolean }} props */
export function Card({ stream, withUser = true }) {
  const { id, title, user } = stream;
  const when = stream.ended_at ?? stream.live_at ?? stream.created_at;
  return html`
    <li class="card">
      <a class="card-picture" href="/watch/${id}" tabindex="-1" aria-hidden="true"><${Picture} stream=${stream} /></a>
      <div class="card-words">
        ${withUser && html`<a href=${profileOf(user.username)} tabindex="-1" aria-hidden="true"><${Avatar} user=${user} /></a>`}
        <div>
          <h3><a href="/watch/${id}">${title}</a></h3>
          ${withUser && html`<p><a class="quiet-link" href=${profileOf(user.username)}>${nameOf(user)}</a></p>`}
          <p class="quiet">${isOnAir(stream) && html`<span class="sr-only">Live now. </span>`}${count(stream.views, "view")} · ${isOnAir(stream) ? `started ${ago(when)}` : ago(when)}${stream.may_edit && stream.recording ? ` · ${asSize(stream.recording.bytes)}` : ""}</p>
        </div>
      </div>
    </li>`;
}

/** Placeholders while cards are loading. */
export function CardsToCome() {
  return html`<ul class="cards" aria-hidden="true">${[1, 2, 3, 4].map((n) => html`<li key=${n} class="card to-come"><div class="picture"></div><p></p><p></p></li>`)}</ul>`;
}
