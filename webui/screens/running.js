// The user's own stream on the air: its state, and stopping it.

import { go } from "../site/addresses.js";
import { api, asProblem, sentence } from "../site/api.js";
import { asClock, count, short, waitingWords } from "../site/words.js";
import { isOnAir } from "../parts/cards.js";
import { Confirm } from "../parts/dialog.js";
import { html, useSignal } from "../parts/html.js";
import { Icon } from "../parts/icon.js";
import { usePoll } from "../parts/poll.js";
import { RelayStates } from "../parts/relays.js";
import { Stage } from "../parts/stage.js";
import { EditStream } from "./editstream.js";

/** @import { Stream } from "../types.js" */

/** Milliseconds between two requests. */
const LOOK = 3000;

/** @param {{ id: string }} props */
export function Running({ id }) {
  const stream = useSignal(/** @type {Stream | null} */ (null));
  const problem = useSignal("");
  const dialog = useSignal(/** @type {null | "edit" | "stop"} */ (null));
  usePoll(async (signal) => {
    try {
      stream.value = await api.get(`/streams/${id}`, { signal });
      problem.value = "";
    } catch (error) {
      if (signal.aborted) throw error;
      problem.value = asProblem(error).message;
    }
    return stream.value?.state === "ended" ? 0 : LOOK;
  }, [id]);
  const now = stream.value;
  const close = () => (dialog.value = null);
  if (!now) return html`<p class="waiting" role="status">${problem.value || "Loading"}</p>`;
  if (!isOnAir(now)) {
    return html`<div class="empty"><div class="perched" aria-hidden="true"></div><h1>Your stream has ended</h1><p>“${now.title}” ran for ${asClock(now.elapsed_seconds)}, with up to ${count(now.peak_viewers, "viewer")}.</p>
      <p><a class="button" href="/watch/${now.id}">See the stream</a></p></div>`;
  }
  return html`
    <div class="narrow">
      <h1>You are live</h1>
      <${Stage} playlist=${now.playlist_url ?? `/media/${id}/index.m3u8`} isOn=${now.state === "live" && now.playlist_url !== null} headline=${waitingWords(now)} isBusy size=${now} poster=${now.thumbnail_url} />
      ${now.detail && html`<p class="notice" role="status">${sentence(now.detail)}</p>`}
      <div class="watch-row">
        <h2 class="grow"><a href="/watch/${id}">${now.title}</a></h2>
        <div class="actions">
          <a class="button" href="/watch/${id}">Open with chat</a>
          <button class="button" type="button" onClick=${() => (dialog.value = "edit")}><${Icon} name="edit" />Edit</button>
          <button class="button danger" type="button" onClick=${() => (dialog.value = "stop")}><${Icon} name="stop" />Stop</button>
        </div>
      </div>
      <dl class="facts">
        <div><dt>On the air</dt><dd>${asClock(now.elapsed_seconds)}</dd></div>
        <div><dt>Watching</dt><dd>${short(now.viewers)} <span class="quiet">(peak: ${short(now.peak_viewers)})</span></dd></div>
        <div><dt>Likes</dt><dd>${short(now.likes)}</dd></div>
        <div><dt>Picture</dt><dd>${now.width} × ${now.height} · ${now.fps} fps</dd></div>
      </dl>
      <${RelayStates} stream=${now} onChange=${(/** @type {Stream} */ news) => (stream.value = news)} />
      <p class="refusal" role="alert">${problem.value}</p>
      ${dialog.value === "edit" && html`<${EditStream} stream=${now} onSaved=${(/** @type {Stream} */ news) => (stream.value = news)} onClose=${close} />`}
      ${dialog.value === "stop" && html`<${Confirm} title="Stop the stream?" words="It ends for all viewers and cannot be resumed." action="Stop the stream" onClose=${close}
        work=${async () => { await api.post(`/streams/${id}/stop`); go(`/watch/${id}`); }} />`}
    </div>`;
}
