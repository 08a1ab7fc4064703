// The people that the user follows; those who are live come first.

import { me } from "../site/session.js";
import { nameOf } from "../site/words.js";
import { html, useEffect, useMemo } from "../parts/html.js";
import { Paged, Pages } from "../parts/list.js";
import { LogInFirst } from "../parts/loginfirst.js";
import { FollowButton, Person } from "../parts/person.js";
import { useTitle } from "../parts/title.js";

/** @import { Subscription } from "../types.js" */

export function Screen() {
  useTitle("Following");
  const pages = useMemo(() => /** @type {Pages<Subscription>} */ (new Pages("/me/subscriptions", { limit: 50 })), []);
  useEffect(() => void (me.value && pages.first()), [me.value?.username]);
  if (!me.value) return html`<${LogInFirst} words="Log in to see whom you follow." />`;
  return html`
    <div class="narrow">
      <h1>Following</h1>
      <${Paged} pages=${pages} each=${(/** @type {Subscription} */ user) => html`
        <li key=${user.username} class="row">
          <${Person} user=${user}>${user.live_stream ? html`<span class="tag live">Live</span> <a href="/watch/${user.live_stream}">Watch ${nameOf(user)}</a>` : null}<//>
          <${FollowButton} username=${user.username} isFollowing=${true} />
        </li>`}
        empty=${html`<div class="perched" aria-hidden="true"></div><p>You follow nobody yet. Find people by their streams.</p><p><a class="button primary" href="/">Discover</a></p>`} />
    </div>`;
}
