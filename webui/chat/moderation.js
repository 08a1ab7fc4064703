// Moderation by the streamer and the owner: deleting messages, muting, banning, and the chat's rules.

import { api } from "../site/api.js";
import { me } from "../site/session.js";
import { nameOf } from "../site/words.js";
import { Dialog } from "../parts/dialog.js";
import { Choice, Form, Submit, Switch } from "../parts/form.js";
import { html, useEffect, useSignal } from "../parts/html.js";
import { Refusal, useTask } from "../parts/task.js";
import { toast } from "../parts/toast.js";

/** @import { ChatRules, List, Message, Restriction, Stream } from "../types.js" */

/** @param {{ stream: Stream, message: Message, isModerator: boolean, onDelete: () => void, onClose: () => void }} props */
export function Moderate({ stream, message, isModerator, onDelete, onClose }) {
  const task = useTask();
  const user = message.user;
  const isOwn = user?.username === me.value?.username;
  /** @param {object} restriction @param {string} words @param {string} where */
  const restrict = (restriction, words, where = `/streams/${stream.id}/restrictions`) => task.run(async () => {
    if (!user) return;
    await api.put(`${where}/${encodeURIComponent(user.username)}`, restriction);
    toast(words);
    onClose();
  });
  const remove = () => (onDelete(), onClose());
  const name = user ? nameOf(user) : "";
  return html`
    <${Dialog} title=${isOwn ? "Your message" : `Message from ${name}`} onClose=${onClose}>
      <blockquote>${message.text}</blockquote>
      <div class="stack">
        <button class="button" type="button" onClick=${remove}>Delete message</button>
        ${isModerator && !isOwn && html`
          <button class="button" type="button" onClick=${() => restrict({ severity: "mute", seconds: 600 }, `${name} is muted for 10 minutes.`)}>Mute ${name} for 10 minutes</button>
          <button class="button" type="button" onClick=${() => restrict({ severity: "mute" }, `${name} is muted in this streamer's chats.`)}>Mute ${name} in this streamer's chats</button>
          <button class="button danger" type="button" onClick=${() => restrict({ severity: "ban" }, `${name} is banned from this streamer's chats.`)}>Ban ${name} from this streamer's chats</button>`}
        ${me.value?.role === "owner" && !isOwn && html`
          <button class="button danger" type="button" onClick=${() => restrict({ severity: "ban" }, `${name} is banned from all chats.`, "/restrictions")}>Ban ${name} from all chats</button>`}
      </div>
      <${Refusal} task=${task} />
    <//>`;
}

/** @param {{ stream: Stream, rules: ChatRules | null, onClose: () => void }} props */
export function Rules({ stream, rules, onClose }) {
  const task = useTask();
  const slow = useSignal(String(rules?.slow_mode_seconds ?? 0));
  const followers = useSignal(rules?.followers_only ?? false);
  const members = useSignal(rules?.members_only ?? false);
  const work = async () => {
    await api.patch(`/streams/${stream.id}/chat-rules`, {
      slow_mode_seconds: Number(slow.value), followers_only: followers.value, members_only: members.value,
    });
    onClose();
  };
  return html`
    <${Dialog} title="Chat rules" onClose=${onClose}>
      <${Form} task=${task} work=${work}>
        <${Choice} label="Slow mode" name="slow_mode_seconds" task=${task} value=${slow} hint="How long each person waits between two messages."
          choices=${[["0", "Off"], ["5", "5 seconds"], ["15", "15 seconds"], ["30", "30 seconds"], ["60", "1 minute"], ["300", "5 minutes"]]} />
        <${Switch} label="Followers only" hint="Only your followers can write." value=${followers} />
        <${Switch} label="Members only" hint="Only people who are logged in can read." value=${members} />
        <${Restricted} path=${`/streams/${stream.id}/restrictions`} words="Muted and banned" />
        <${Refusal} task=${task} fields=${["slow_mode_seconds"]} />
        <footer><button class="button" type="button" onClick=${onClose}>Cancel</button><${Submit} task=${task}>Save<//></footer>
      <//>
    <//>`;
}

/**
 * The people muted or banned in a streamer's chats or in all, each with a button to lift that.
 * @param {{ path: string, words: string }} props
 */
export function Restricted({ path, words }) {
  const task = useTask();
  const items = useSignal(/** @type {Restriction[]} */ ([]));
  useEffect(() => {
    api.get(path).then((/** @type {List<Restriction>} */ list) => (items.value = list.items)).catch(() => {});
  }, [path]);
  /** @param {string} username */
  const lift = (username) => task.run(async () => {
    await api.delete(`${path}/${encodeURIComponent(username)}`);
    items.value = items.value.filter(({ user }) => user.username !== username);
  });
  if (items.value.length === 0) return null;
  return html`
    <fieldset class="field"><legend>${words}</legend><ul class="rows">
      ${items.value.map(({ user, severity }) => html`<li key=${user.username} class="row"><span class="grow">${nameOf(user)} <span class="quiet">${severity === "ban" ? "banned" : "muted"}</span></span>
        <button class="button" type="button" onClick=${() => lift(user.username)}>Lift</button></li>`)}</ul>
      <${Refusal} task=${task} /></fieldset>`;
}
