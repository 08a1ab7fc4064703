// The player alone, in a frame of another site (/embed/{id}). Browsers send no login into such a frame: public streams only.

import { api, asProblem } from "./site/api.js";
import { within } from "./site/base.js";
import { ENDED_BY, waitingWords } from "./site/words.js";
import { html, render, useEffect, useSignal } from "./parts/html.js";
import { usePoll } from "./parts/poll.js";
import { RecordingStage } from "./parts/recordingstage.js";
import { Stage } from "./parts/stage.js";

/** @import { Stream } from "./types.js" */

/** Milliseconds between two requests: until there is a picture, and afterwards. */
const SOON = 1500;
const CALMLY = 8000;

const id = decodeURIComponent(within(location.pathname).split("/")[2] ?? "");

function Embed() {
  const stream = useSignal(/** @type {Stream | null} */ (null));
  const problem = useSignal("");
  const position = useSignal(0);
  const seek = useSignal(/** @type {((at: number) => void) | null} */ (null));
  usePoll(async (signal) => {
    try {
      stream.value = await api.get(`/streams/${encodeURIComponent(id)}`, { signal });
      problem.value = "";
    } catch (error) {
      if (signal.aborted) throw error;
      const { status, message } = asProblem(error);
      problem.value = status === 404 ? "This stream does not exist, or it is not public." : message;
      return status === 404 ? 0 : SOON;
    }
    const state = stream.value?.state;
    return state === "ended" ? 0 : state === "live" ? CALMLY : SOON;
  }, []);
  const now = stream.value;
  useEffect(() => {
    if (now) document.title = now.title;
  }, [now?.title]);
  if (!now) return html`<section class="stage" aria-label="Picture"><div class="cover"><p class="headline" role="status">${problem.value || "Loading"}</p></div></section>`;
  const { state, recording, thumbnail_url, end_reason } = now;
  if (state === "ended" && recording) {
    return html`<${RecordingStage} playlist=${recording.playlist_url} poster=${thumbnail_url} size=${now} position=${position} seek=${seek} />`;
  }
  const isLive = state === "live" && now.playlist_url !== null;
  const isOver = state === "ended";
  return html`<${Stage} playlist=${now.playlist_url ?? `/media/${id}/index.m3u8`} isOn=${isLive} isBusy=${!isLive && !isOver} poster=${thumbnail_url} size=${now}
    headline=${problem.value || (isOver ? "This stream has ended" : waitingWords(now))} detail=${isOver && end_reason ? `It was ${ENDED_BY[end_reason]}.` : ""}>
    <p><a class="button" href="/watch/${id}" target="_blank" rel="noopener">Open its page</a></p>
  <//>`;
}

const root = document.getElementById("page");
if (root) render(html`<${Embed} />`, root);
