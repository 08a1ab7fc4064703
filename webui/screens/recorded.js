// A stream that has ended and was recorded: plays it, and offers what can be done with the recording.

import { api, asProblem } from "../site/api.js";
import { deleteWithUndo } from "../site/undo.js";
import { asClock, asDate, asSize } from "../site/words.js";
import { Clip } from "../parts/clip.js";
import { html, useEffect, useSignal } from "../parts/html.js";
import { Icon } from "../parts/icon.js";
import { RecordingStage } from "../parts/recordingstage.js";
import { TimeLine } from "../parts/timeline.js";
import { toast } from "../parts/toast.js";

/**
 * @import { RecordingDetails, Stream } from "../types.js"
 * @import { Signal } from "@preact/signals"
 */

/**
 * @param {object} props
 * @param {Stream} props.stream
 * @param {Signal<RecordingDetails | null>} props.details
 * @param {Signal<number>} props.position
 * @param {(news: Partial<Stream>) => void} props.change
 */
export function Recorded({ stream, details, position, change }) {
  const { id, width, height, thumbnail_url, visibility, recording } = stream;
  const seek = useSignal(/** @type {((at: number) => void) | null} */ (null));
  const isClipping = useSignal(false);
  useEffect(() => {
    api.get(`/recordings/${id}`).then((answer) => (details.value = answer)).catch((error) => toast(asProblem(error).message));
    return () => (details.value = null);
  }, [id]);
  const now = details.value;
  if (!recording) return null;
  const pin = async () => {
    try {
      details.value = await api.patch(`/recordings/${id}`, { pinned: !recording.pinned });
      change({ recording: { ...recording, pinned: !recording.pinned } });
    } catch (error) {
      toast(asProblem(error).message);
    }
  };
  const duration = Math.max(1, Math.floor(now?.duration_seconds ?? recording.duration_seconds));
  const at = Math.min(Math.floor(position.value), duration);
  const words = `${asClock(at)} of ${asClock(duration)}`;
  const remove = async () => {
    const back = () => change({ recording });
    change({ recording: null });
    if (!(await deleteWithUndo(`/recordings/${id}`, () => "Recording deleted.", back))) back();
  };
  return html`
    <${RecordingStage} playlist=${recording.playlist_url} isForMembers=${visibility === "members"} poster=${thumbnail_url} size=${{ width, height }} position=${position} seek=${seek} />
    <div class="timeline" role="group" aria-label="Time line">
      <${TimeLine} stream=${id} duration=${duration} position=${at} words=${words} onGo=${(/** @type {number} */ to) => seek.value?.(to)} />
      <span class="timeline-words">${words}</span>
    </div>
    <p class="under-stage"><span id="state" class="state" data-state="recorded">Recording</span>
      ${now && html`<span>${asDate(now.started_at)}${now.is_date_provisional ? " (the clock was not set)" : ""}</span>`}
      ${stream.may_edit && html`<span>${asSize(recording.bytes)}</span>`}</p>
    ${isClipping.value && now
      ? html`<${Clip} download=${now.download_url} duration=${now.duration_seconds} position=${position} onSeek=${(/** @type {number} */ at) => seek.value?.(at)} onClose=${() => (isClipping.value = false)} />`
      : html`<div class="actions recording-actions">
          ${now && html`<a class="button" href=${now.download_url} download><${Icon} name="download" />Download</a>
            <button class="button" type="button" onClick=${() => (isClipping.value = true)}><${Icon} name="clip" />Clip</button>`}
          ${stream.may_edit && html`
            <button class="button" type="button" aria-pressed=${recording.pinned} title="A pinned recording is kept when room is needed." onClick=${pin}><${Icon} name="pin" />${recording.pinned ? "Pinned" : "Pin"}</button>
            <button class="button danger" type="button" onClick=${remove}><${Icon} name="trash" />Delete recording</button>`}
        </div>`}`;
}
