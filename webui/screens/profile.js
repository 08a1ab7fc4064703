// A user's profile: streams, followers, and people they follow.

import { api, asProblem } from "../site/api.js";
import { me } from "../site/session.js";
import { count, nameOf } from "../site/words.js";
import { Restricted } from "../chat/moderation.js";
import { Card, CardsToCome } from "../parts/cards.js";
import { html, useEffect, useMemo, useSignal } from "../parts/html.js";
import { Paged, Pages } from "../parts/list.js";
import { Avatar, FollowButton, Person, profileOf } from "../parts/person.js";
import { useTitle } from "../parts/title.js";
import { Nowhere } from "./nowhere.js";

/**
 * @import { Stream, User } from "../types.js"
 * @import { Problem } from "../site/api.js"
 */

/** @param {{ params: string[] }} props */
export function Screen({ params: [username = "", part = ""] }) {
  const user = useSignal(/** @type {User | null} */ (null));
  const problem = useSignal(/** @type {Problem | null} */ (null));
  const path = `/users/${encodeURIComponent(username)}`;
  const viewer = me.value?.username;
  useEffect(() => {
    const gone = new AbortController();
    api.get(path, { signal: gone.signal })
      .then((answer) => ((user.value = answer), (problem.value = null)))
      .catch((error) => !gone.signal.aborted && (problem.value = asProblem(error)));
    return () => gone.abort();
  }, [path, viewer]);

  const who = user.value;
  useTitle(who ? nameOf(who) : username);
  if (problem.value) return html`<${Nowhere} words=${problem.value.status === 404 ? "There is no user with this name." : problem.value.message} />`;
  if (!who) return html`<p class="waiting" role="status">Loading</p>`;
  const profile = profileOf(who.username);
  const onFollow = (/** @type {boolean} */ follows) => {
    user.value = { ...who, is_following: follows, followers: who.followers + (follows ? 1 : -1) };
  };
  const tabs = [["", "Streams", who.streams], ["followers", "Followers", who.followers], ["following", "Following", who.following]];
  return html`
    <div class="profile">
      <header class="profile-top">
        <${Avatar} user=${who} size="large" />
        <div class="grow">
          <h1>${nameOf(who)}</h1>
          <p class="quiet">@${who.username} · ${count(who.followers, "follower")}${who.role === "owner" ? " · owner of this site" : ""}</p>
          ${who.bio && html`<p class="bio">${who.bio}</p>`}
        </div>
        <div class="actions">
          ${who.live_stream && html`<a class="button live" href="/watch/${who.live_stream}">Live now</a>`}
          ${viewer === who.username
            ? html`<a class="button" href="/settings">Edit profile</a>`
            : html`<${FollowButton} key=${who.username} username=${who.username} isFollowing=${who.is_following} onChange=${onFollow} />`}
        </div>
      </header>
      ${viewer && viewer !== who.username && me.value?.role !== "viewer" && html`<${Restricted} key=${who.username} path=${`${path}/restrictions`} words="Muted or banned" />`}
      <nav class="tabs" aria-label="Profile">
        ${tabs.map(([key, words, number]) => html`<a key=${key} href=${key ? `${profile}/${key}` : profile} aria-current=${key === part ? "page" : null}>${words} <span class="quiet">${number}</span></a>`)}
      </nav>
      ${part === "" ? html`<${Streams} who=${who} />` : html`<${People} key=${part} who=${who} part=${part} />`}
    </div>`;
}

/** @param {{ who: User }} props */
function Streams({ who }) {
  const pages = useMemo(() => /** @type {Pages<Stream>} */ (new Pages("/streams", { user: who.username, sort: "newest", limit: 24 })), [who.username]);
  useEffect(() => void pages.first(), [pages]);
  const isSelf = me.value?.username === who.username;
  return html`<h2 class="sr-only">Streams</h2>
    <${Paged} pages=${pages} as="cards" waiting=${html`<${CardsToCome} />`} each=${(/** @type {Stream} */ stream) => html`<${Card} key=${stream.id} stream=${stream} withUser=${false} />`}
      empty=${html`<div class="perched" aria-hidden="true"></div><p>${isSelf ? "You have" : `${nameOf(who)} has`} not streamed yet.</p>`} />`;
}

/** @param {{ who: User, part: string }} props */
function People({ who, part }) {
  const pages = useMemo(() => /** @type {Pages<User>} */ (new Pages(`/users/${encodeURIComponent(who.username)}/${part}`, { limit: 50 })), [who.username, part]);
  useEffect(() => void pages.first(), [pages]);
  return html`<h2 class="sr-only">${part === "followers" ? "Followers" : "Following"}</h2>
    <${Paged} pages=${pages} each=${(/** @type {User} */ user) => html`
      <li key=${user.username} class="row"><${Person} user=${user} />${user.is_following !== undefined && html`<${FollowButton} username=${user.username} isFollowing=${user.is_following} />`}</li>`}
      empty=${html`<p>${part === "followers" ? `Nobody follows ${nameOf(who)} yet.` : `${nameOf(who)} follows nobody yet.`}</p>`} />`;
}
