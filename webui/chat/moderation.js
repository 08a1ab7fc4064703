// Moderation by the streamer and the owner: deleting messages, muting, banning, and the chat's rules.

import { api } from "../site/api.js";
import { me } from "../site/session.js";
import { nameOf, restrictionWords } from "../site/words.js";
import { Dialog } from "../parts/dialog.js";
import { Choice, Form, Submit, Switch } from "../parts/form.js";
import { html, useEffect, useMemo, useSignal } from "../parts/html.js";
import { Paged, Pages } from "../parts/list.js";
import { Refusal, useTask } from "../parts/task.js";
import { toast } from "../parts/toast.js";

/** @import { ChatRules, Message, Restriction, Stream, UserRef } from "../types.js" */

/** @type {[string, string][]} */
const PERIODS = [["600", "For 10 minutes"], ["3600", "For 1 hour"], ["86400", "For 1 day"], ["604800", "For 1 week"], ["", "Until it is lifted"]];
/** @type {[string, string][]} */
const SEVERITIES = [["mute", "Mute: can read, but not write"], ["ban", "Ban: can neither read nor write"]];

/**
 * What can be done about a message.
 * @param {{ stream: Stream, message: Message, isModerator: boolean, onDelete: () => void, onClose: () => void }} props
 */
export function Moderate({ stream, message, isModerator, onDelete, onClose }) {
  const user = message.user;
  const isOwn = user?.username === me.value?.username;
  const remove = () => (onDelete(), onClose());
  return html`
    <${Dialog} title=${isOwn ? "Your message" : `Message from ${user ? nameOf(user) : ""}`} onClose=${onClose}>
      <blockquote>${message.text}</blockquote>
      <div class="stack"><button class="button" type="button" onClick=${remove}>Delete message</button></div>
      ${isModerator && user && !isOwn && html`
        <${Restrict} stream=${stream} user=${user} onDone=${onClose} />
        <${Restricted} path=${`/users/${encodeURIComponent(user.username)}/restrictions`} words="Already" />`}
    <//>`;
}

/**
 * Mutes or bans a person: where, and for how long.
 * @param {{ stream: Stream, user: UserRef, onDone: () => void }} props
 */
function Restrict({ stream, user, onDone }) {
  const task = useTask();
  const severity = useSignal("mute");
  const scope = useSignal("stream");
  const seconds = useSignal("600");
  const name = nameOf(user);
  const whose = stream.user.username === me.value?.username ? "all of my chats" : `all chats of ${nameOf(stream.user)}`;
  /** @type {[string, string][]} */
  const scopes = [["stream", "In the chat of this stream"], ["chats", `In ${whose}`]];
  if (me.value?.role === "owner") scopes.push(["everywhere", "In all chats of this site"]);
  const work = async () => {
    const where = scope.value === "everywhere" ? "/restrictions" : `/streams/${stream.id}/restrictions`;
    await api.put(`${where}/${encodeURIComponent(user.username)}`, {
      severity: severity.value, scope: scope.value, ...(seconds.value ? { seconds: Number(seconds.value) } : {}),
    });
    toast(`${name} is ${severity.value === "ban" ? "banned" : "muted"}.`);
    onDone();
  };
  return html`
    <${Form} task=${task} work=${work}>
      <${Choice} label="What" name="severity" task=${task} value=${severity} choices=${SEVERITIES} />
      <${Choice} label="Where" name="scope" task=${task} value=${scope} choices=${scopes} />
      <${Choice} label="How long" name="seconds" task=${task} value=${seconds} choices=${PERIODS} />
      <${Refusal} task=${task} fields=${["severity", "scope", "seconds"]} />
      <${Submit} task=${task}>${severity.value === "ban" ? "Ban" : "Mute"} ${name}<//>
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

/** Who is muted or banned in the chats of a stream's user. @param {{ stream: Stream, onClose: () => void }} props */
export function RestrictedHere({ stream, onClose }) {
  return html`
    <${Dialog} title="Muted and banned" onClose=${onClose}>
      <${Restricted} path=${`/streams/${stream.id}/restrictions`} words="In this chat" empty="Nobody is muted or banned in this chat." />
    <//>`;
}

/**
 * Mutes and bans, each with a button to lift it. Shows nothing, or `empty`, where there are none.
 * @param {{ path: string, words: string, empty?: string }} props
 */
export function Restricted({ path, words, empty }) {
  const task = useTask();
  const pages = useMemo(() => /** @type {Pages<Restriction>} */ (new Pages(path, { limit: 50 })), [path]);
  useEffect(() => void pages.first(), [pages]);
  /** @param {Restriction} restriction */
  const lift = ({ user, room }) => task.run(async () => {
    await api.delete(`/users/${encodeURIComponent(user.username)}/restrictions/${room}`);
    toast("Lifted.");
    await pages.first();
  });
  if (!pages.items.value?.length) return pages.items.value && empty ? html`<p>${empty}</p>` : null;
  return html`
    <fieldset class="field"><legend>${words}</legend>
      <${Paged} pages=${pages} empty=${null} each=${(/** @type {Restriction} */ one) => html`
        <li key=${one.room + one.user.username} class="row"><span class="grow">${nameOf(one.user)} <span class="quiet">${restrictionWords(one)}</span></span>
          <button class="button" type="button" aria-label="Lift: ${nameOf(one.user)} is ${restrictionWords(one)}" onClick=${() => lift(one)}>Lift</button></li>`} />
      <${Refusal} task=${task} /></fieldset>`;
}
