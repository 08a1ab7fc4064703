// The chat of a stream that has ended: in step with its recording, or all of it with the time in the stream beside each message.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useSignal } from "../parts/html.js";
import { api, asProblem } from "../site/api.js";
import { me } from "../site/session.js";
import { barredWords } from "../site/words.js";
import { Icon } from "../parts/icon.js";
import { Paged, Pages } from "../parts/list.js";
import { toast } from "../parts/toast.js";
import { InStep, offsetAt, positionAt } from "./instep.js";
import { Line } from "./line.js";
import { Moderate, RestrictedHere } from "./moderation.js";

/**
 * @import { Barred, Message, RecordingDetails, Stream } from "../types.js"
 * @import { Signal } from "@preact/signals"
 */

/** @param {{ stream: Stream, recording: RecordingDetails | null, position: Signal<number> }} props */
export function Replay({ stream, recording, position }) {
  const dialog = useSignal(/** @type {null | "restricted" | Message} */ (null));
  const deleted = useSignal(/** @type {string[]} */ ([]));
  const close = () => (dialog.value = null);
  const isModerator = stream.may_edit;
  const acts = { deleted: deleted.value, onAct: isModerator && me.value ? (/** @type {Message} */ message) => (dialog.value = message) : null };
  const remove = async (/** @type {string} */ id) => {
    try {
      await api.delete(`/streams/${stream.id}/messages/${id}`);
      deleted.value = [...deleted.value, id];
    } catch (error) {
      toast(asProblem(error).message);
    }
  };
  const open = dialog.value;
  return html`
    <section class="chat" aria-labelledby="chat-title">
      <header><h2 id="chat-title">Chat</h2>
        ${isModerator && html`<button class="button quiet square" type="button" aria-label="Muted and banned" onClick=${() => (dialog.value = "restricted")}><${Icon} name="settings" /></button>`}</header>
      ${recording ? html`<${LinesInStep} stream=${stream} recording=${recording} position=${position} ...${acts} />` : html`<${AllLines} stream=${stream} ...${acts} />`}
      ${open === "restricted" && html`<${RestrictedHere} stream=${stream} onClose=${close} />`}
      ${open !== null && typeof open === "object" && html`<${Moderate} stream=${stream} message=${open} isModerator=${isModerator} onDelete=${() => remove(open.id)} onClose=${close} />`}
    </section>`;
}

/** The message as it is shown, and what can be done about it. @param {Message} message @param {{ deleted?: string[], onAct?: ((message: Message) => void) | null }} acts */
function acted(message, { deleted, onAct }) {
  const shown = deleted?.includes(message.id) ? { ...message, text: "", deleted: true } : message;
  return { message: shown, onAct: onAct && !shown.deleted && shown.user ? () => onAct(message) : null };
}

/** @param {{ stream: Stream, deleted: string[], onAct: ((message: Message) => void) | null }} props */
function AllLines({ stream, deleted, onAct }) {
  const pages = useMemo(() => /** @type {Pages<Message>} */ (new Pages(`/streams/${stream.id}/messages`, { limit: 100 })), [stream.id]);
  useEffect(() => void pages.first(), [pages]);
  const barred = pages.problem.value?.barred;
  if (barred) return html`<p class="chat-empty" role="status">${barredWords(barred)}</p>`;
  return html`
    <div class="chat-scroll"><div class="chat-box" tabindex="0">
      <${Paged} pages=${pages} as="lines" each=${(/** @type {Message} */ message) => html`<li key=${message.id}><${Line} ...${acted(message, { deleted, onAct })} withTime /></li>`}
        empty=${html`<p>No messages were sent during this stream.</p>`} />
    </div></div>`;
}

/**
 * @param {object} props
 * @param {Stream} props.stream
 * @param {RecordingDetails | null} props.recording  null: its timeline is not known yet
 * @param {Signal<number>} props.position
 * @param {number} [props.behind]  how far behind what is live, seconds
 * @param {Message[]} [props.others]  messages that are known otherwise, in order
 * @param {(count: number) => void} [props.onNewer]  told how many messages came later
 * @param {string[]} [props.deleted]  ids of messages that were deleted here
 * @param {((message: Message) => void) | null} [props.onAct]  for moderators
 */
export function LinesInStep({ stream, recording, position, behind, others, onNewer, deleted, onAct }) {
  const shown = useSignal(/** @type {Message[]} */ ([]));
  const barred = useSignal(/** @type {Barred | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const isAtEnd = useSignal(true);
  const known = useRef({ others, onNewer });
  known.current = { others, onNewer };
  const timeline = recording?.timeline ?? [];
  const show = useMemo(() => (/** @type {InStep} */ from) => {
    barred.value = from.barred;
    const now = from.shown(known.current.others);
    // The same lines need not be drawn again with every picture.
    if (now.length !== shown.peek().length || now.some((one, index) => one.id !== shown.peek()[index]?.id || one.deleted !== shown.peek()[index]?.deleted)) shown.value = now;
    known.current.onNewer?.(from.newer(known.current.others ?? []));
  }, []);
  const inStep = useMemo(() => {
    const own = new InStep(stream.id, () => show(own));
    return own;
  }, [stream.id]);
  // A message that was written within a second belongs to it.
  const second = Math.floor(position.value) + 1;
  useEffect(() => inStep.go(offsetAt(timeline, second), behind), [inStep, recording, second]);
  useEffect(() => show(inStep), [inStep, others]);
  const toEnd = () => box.current?.scrollTo(0, box.current.scrollHeight);
  useLayoutEffect(() => {
    if (isAtEnd.peek()) toEnd();
  }, [shown.value]);
  const onScroll = () => {
    if (box.current) isAtEnd.value = box.current.scrollHeight - box.current.scrollTop - box.current.clientHeight < 48;
  };
  return html`
    <div class="chat-scroll">
      <div ref=${box} class="chat-box" tabindex="0" role="log" aria-label="Messages" onScroll=${onScroll}>
        ${shown.value.length === 0 && html`<p class="chat-empty" role="status">${barred.value ? barredWords(barred.value) : "Messages appear here as the recording plays."}</p>`}
        ${shown.value.map((message) => html`<${Line} key=${message.id} withTime
          ...${acted({ ...message, offset_seconds: positionAt(timeline, message.offset_seconds) }, { deleted, onAct })} />`)}
      </div>
      ${!isAtEnd.value && html`<button class="button to-end" type="button" onClick=${toEnd}>Newest messages</button>`}
    </div>`;
}
