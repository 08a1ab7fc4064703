// The user's notifications. Opening the screen marks them as read.

import { api } from "../site/api.js";
import { inWords, newsCame } from "../site/notifications.js";
import { learnOfMe, me } from "../site/session.js";
import { ago } from "../site/words.js";
import { html, useEffect, useMemo } from "../parts/html.js";
import { Icon } from "../parts/icon.js";
import { Paged, Pages } from "../parts/list.js";
import { LogInFirst } from "../parts/loginfirst.js";
import { Avatar } from "../parts/person.js";
import { useTitle } from "../parts/title.js";

/** @import { Notification } from "../types.js" */

export function Screen() {
  useTitle("Notifications");
  const pages = useMemo(() => /** @type {Pages<Notification>} */ (new Pages("/me/notifications", { limit: 30 })), []);
  const who = me.value?.username;
  useEffect(() => {
    if (!who) return undefined;
    const read = async () => {
      await pages.first();
      const newest = pages.items.value?.[0];
      if (!newest || newest.read) return;
      await api.post("/me/notifications/read", { last: newest.id });
      learnOfMe({ unread_notifications: 0 });
    };
    const again = () => void read().catch(() => {});
    again();
    newsCame.addEventListener("news", again);
    return () => newsCame.removeEventListener("news", again);
  }, [who]);
  if (!who) return html`<${LogInFirst} words="Log in to see your notifications." />`;
  return html`
    <div class="narrow">
      <h1>Notifications</h1>
      <${Paged} pages=${pages} each=${(/** @type {Notification} */ news) => html`<${News} key=${news.id} news=${news} />`}
        empty=${html`<div class="perched" aria-hidden="true"></div><p>Nothing yet. When somebody you follow goes live, you will see it here.</p>`} />
    </div>`;
}

/** @param {{ news: Notification }} props */
function News({ news }) {
  const { words, to } = inWords(news);
  return html`
    <li class="row" data-unread=${!news.read}>
      ${news.by && !news.kind.startsWith("recording_") ? html`<${Avatar} user=${news.by} />` : html`<span class="avatar"><${Icon} name=${news.kind === "stream_stopped" ? "stop" : "card"} /></span>`}
      <div class="grow"><a class="name" href=${to}>${words}</a><p class="quiet">${!news.read && html`<span class="sr-only">New. </span>`}${ago(news.at)}</p></div>
    </li>`;
}
