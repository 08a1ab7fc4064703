// The chat beside a stream that is on the air.

import { me } from "../site/session.js";
import { asClock, barredWords, count, short } from "../site/words.js";
import { Dialog } from "../parts/dialog.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useSignal } from "../parts/html.js";
import { Icon } from "../parts/icon.js";
import { loginThenBack, Person } from "../parts/person.js";
import { Line } from "./line.js";
import { Moderate, Rules } from "./moderation.js";
import { LinesInStep } from "./replay.js";
import { KEPT, Room } from "./room.js";

/**
 * @import { Message, RecordingDetails, Stream } from "../types.js"
 * @import { Signal } from "@preact/signals"
 */

const LONGEST = 500;

/** A live stream that is played from an earlier moment. @typedef {{ recording: RecordingDetails | null, position: Signal<number>, duration: () => number, onLive: () => void }} Rewound */

/** @param {{ stream: Stream, rewound?: Rewound | null, onReactions: (now: { likes: number, dislikes: number }) => void, onEnded: () => void }} props */
export function Chat({ stream, rewound = null, onReactions, onEnded }) {
  const who = me.value?.username;
  // Another login needs a connection of its own.
  const room = useMemo(() => new Room(stream.id), [stream.id, who]);
  useEffect(() => () => room.close(), [room]);
  useEffect(() => room.reactions.subscribe((now) => now && onReactions(now)), [room]);
  useEffect(() => room.state.subscribe((state) => state === "ended" && onEnded()), [room]);
  const dialog = useSignal(/** @type {null | "people" | "rules" | Message} */ (null));
  const close = () => (dialog.value = null);
  const isModerator = stream.may_edit;
  const open = dialog.value;
  return html`
    <section class="chat" aria-labelledby="chat-title">
      <header>
        <h2 id="chat-title">Chat</h2>
        ${room.viewers.value !== null && html`<button class="button quiet" type="button" onClick=${() => (dialog.value = "people")}><${Icon} name="people" />${short(room.viewers.value)} here</button>`}
        ${isModerator && html`<button class="button quiet square" type="button" aria-label="Chat rules" onClick=${() => (dialog.value = "rules")}><${Icon} name="settings" /></button>`}
      </header>
      ${room.isDetour.value && html`<p class="chat-note" role="status">A proxy in front of this site does not pass on WebSockets. The chat works without them.</p>`}
      ${rewound
        ? html`<${Earlier} stream=${stream} room=${room} rewound=${rewound} />`
        : html`<${Lines} room=${room} isModerator=${isModerator} onAct=${(/** @type {Message} */ message) => (dialog.value = message)} />
          <${Writer} room=${room} />`}
      ${open === "people" && html`<${Dialog} title="In the chat" onClose=${close}>
        ${room.people.value.length > 0 ? html`<ul class="rows">${room.people.value.map((user) => html`<li key=${user.username} class="row"><${Person} user=${user} /></li>`)}</ul>` : html`<p>Only people without an account are here.</p>`}
      <//>`}
      ${open === "rules" && html`<${Rules} stream=${stream} rules=${room.rules.value} onClose=${close} />`}
      ${open !== null && typeof open === "object" && html`<${Moderate} stream=${stream} message=${open} isModerator=${isModerator} onDelete=${() => room.remove(open.id)} onClose=${close} />`}
    </section>`;
}

/** The chat as it was at the picture on show. @param {{ stream: Stream, room: Room, rewound: Rewound }} props */
function Earlier({ stream, room, rewound: { recording, position, duration, onLive } }) {
  const newer = useSignal(0);
  const messages = room.messages.value;
  // More than the page keeps are not counted.
  const words = newer.value === 0 ? "No newer messages" : newer.value >= KEPT ? `More than ${KEPT} newer messages` : count(newer.value, "newer message");
  return html`
    <${LinesInStep} stream=${stream} recording=${recording} position=${position} behind=${duration() - position.value} others=${messages} onNewer=${(/** @type {number} */ found) => (newer.value = found)} />
    <div class="chat-foot chat-earlier"><p>The chat at ${asClock(position.value)}. <span role="status">${words}.</span></p>
      <button class="button primary" type="button" onClick=${onLive}>Back to live</button></div>`;
}

/** @param {{ room: Room, isModerator: boolean, onAct: (message: Message) => void }} props */
function Lines({ room, isModerator, onAct }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const isAtEnd = useSignal(true);
  const messages = room.messages.value;
  const you = room.you.value?.username;
  const waiting = room.waiting.value;
  const toEnd = () => box.current?.scrollTo(0, box.current.scrollHeight);
  useLayoutEffect(() => {
    if (isAtEnd.peek()) toEnd();
  }, [messages, waiting]);
  const onScroll = () => {
    if (box.current) isAtEnd.value = box.current.scrollHeight - box.current.scrollTop - box.current.clientHeight < 48;
  };
  return html`
    <div class="chat-scroll">
      <div ref=${box} class="chat-box" tabindex="0" role="log" aria-live="polite" aria-label="Messages" onScroll=${onScroll}>
        ${messages.length === 0 && waiting.length === 0 && html`<p class="chat-empty">${room.state.value === "open" ? "No messages yet. Say hello!" : ""}</p>`}
        ${messages.map((message) => html`<${Line} key=${message.id} message=${message}
          onAct=${!message.deleted && message.user && you && (isModerator || message.user.username === you) ? () => onAct(message) : null} />`)}
        ${waiting.map(({ client_id, text, why }) => html`
          <p key=${client_id} class="line waiting-line"><span class="line-text">${text}</span>
            ${why && html`<span class="refusal">${why} <button class="link" type="button" onClick=${() => (room.takeBack(client_id), room.send(text))}>Send again</button> <button class="link" type="button" onClick=${() => room.takeBack(client_id)}>Discard</button></span>`}</p>`)}
      </div>
      ${!isAtEnd.value && html`<button class="button to-end" type="button" onClick=${toEnd}>Newest messages</button>`}
    </div>`;
}

/** @param {{ room: Room }} props */
function Writer({ room }) {
  const text = useSignal("");
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (!words || room.state.value !== "open") return;
    room.send(words);
    text.value = "";
  };
  if (room.state.value === "ended") return html`<p class="chat-foot" role="status">The stream and its chat have ended.</p>`;
  if (me.value === null) return html`<p class="chat-foot">${room.refusal.value && html`<span role="status">${room.refusal.value}</span> `}<a href=${loginThenBack()}>Log in</a> to write.</p>`;
  const barred = room.barred.value;
  if (barred?.severity === "ban") return html`<p class="chat-foot" role="status">${barredWords(barred)}</p>`;
  const isOpen = room.state.value === "open";
  if (isOpen && !room.mayWrite.value) return html`<p class="chat-foot" role="status">${barred ? barredWords(barred) : room.refusal.value || whyNot(room)}</p>`;
  const left = LONGEST - [...text.value].length;
  return html`
    <form class="chat-foot" onSubmit=${send}>
      <p class="chat-words" role="status">${room.refusal.value || (room.state.value === "away" ? "Connection lost. Reconnecting…" : rulesInWords(room))}</p>
      <div class="writer">
        <input aria-label="Write a message" placeholder="Write a message" maxlength=${LONGEST} autocomplete="off" enterkeyhint="send" value=${text.value}
          onInput=${(/** @type {any} */ event) => (text.value = event.currentTarget.value)} />
        <button class="button primary square" type="submit" aria-label="Send" aria-disabled=${!isOpen || !text.value.trim()}><${Icon} name="send" /></button>
      </div>
      ${left < 80 && html`<p class="chat-words">${left} characters left</p>`}
    </form>`;
}

/** @param {Room} room */
function rulesInWords({ rules: { value: rules } }) {
  if (!rules) return "";
  const words = [];
  if (rules.slow_mode_seconds) words.push(`Slow mode: one message every ${rules.slow_mode_seconds} s.`);
  if (rules.followers_only) words.push("Followers only.");
  return words.join(" ");
}

/** @param {Room} room */
function whyNot({ rules: { value: rules } }) {
  if (rules?.followers_only) return "Only followers of the streamer can write here.";
  return "You cannot write here at the moment.";
}
