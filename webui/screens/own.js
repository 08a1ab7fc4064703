// Before setup: the camera's picture, its state in words, and the way to set the site up.

import { Stage } from "../parts/stage.js";
import { html, useSignal } from "../parts/html.js";
import { usePoll } from "../parts/poll.js";
import { useTitle } from "../parts/title.js";
import { api, sentence } from "../site/api.js";
import { askSystem } from "../site/clock.js";
import { asDuration } from "../site/words.js";

/** @import { Camera, List, System } from "../types.js" */

/** Milliseconds between two requests: fast while a picture is coming, slow once it is there. */
const AT_ONCE = 150;
const SOON = 1000;
const CALMLY = 3000;
const SYSTEM_EVERY = 10_000;

/** @typedef {Camera["state"] | "connecting" | "offline"} State */

/** @type {Record<State, { badge: string, headline: string, detail: string }>} */
const WORDS = {
  connecting: { badge: "Connecting", headline: "Connecting", detail: "" },
  offline: { badge: "Offline", headline: "Perch does not answer", detail: "Trying again. Is the board switched on and on this network?" },
  starting: { badge: "Starting", headline: "Starting the camera", detail: "" },
  waiting: { badge: "Waiting for the camera", headline: "Waiting for the camera", detail: "" },
  stopped: { badge: "Not live", headline: "Nothing is live at the moment", detail: "" },
  live: { badge: "Live", headline: "Loading the picture", detail: "" },
};

export function Screen() {
  const state = useSignal(/** @type {State} */ ("connecting"));
  const camera = useSignal(/** @type {Camera | null} */ (null));
  const system = useSignal(/** @type {System | null} */ (null));
  const latency = useSignal(/** @type {number | null} */ (null));
  const hasPicture = useSignal(false);

  usePoll(async (signal) => {
    try {
      /** @type {List<Camera>} */
      const { items } = await api.get("/cameras", { signal });
      camera.value = items[0] ?? null;
      state.value = camera.value?.state ?? "stopped";
    } catch (error) {
      if (signal.aborted) throw error;
      state.value = "offline";
    }
    const isComing = state.value === "starting" || (state.value === "live" && !hasPicture.value);
    return isComing ? AT_ONCE : state.value === "live" ? CALMLY : SOON;
  }, []);
  usePoll(async () => {
    try {
      system.value = await askSystem();
    } catch {
      // The other request shows that the daemon is away.
    }
    return SYSTEM_EVERY;
  }, []);

  const words = WORDS[state.value];
  const now = camera.value;
  const isLive = state.value === "live";
  useTitle(isLive ? "Live" : "");
  const rate = now?.frames_per_second;
  return html`
    <div class="narrow">
      <div class="banner">
        <div><h1>This Perch is not set up yet</h1><p>Create the owner's account. You decide who else can join.</p></div>
        <a class="button primary" href="/setup">Set up</a>
      </div>
      <${Stage} playlist="/media/live/index.m3u8" isOn=${isLive} headline=${words.headline} detail=${sentence(now?.detail || words.detail)}
        isBusy=${state.value === "starting" || state.value === "connecting"} size=${now ?? { width: null, height: null }} latency=${latency} hasPicture=${hasPicture} />
      <p id="state" class="state" role="status" data-state=${state.value}>${words.badge}</p>
      <dl class="facts" aria-label="About the picture">
        <div><dt>Picture</dt><dd>${now?.width && now.height && rate ? `${now.width} × ${now.height} · ${Math.round(rate * 10) / 10} fps` : "–"}</dd></div>
        <div><dt>Latency</dt><dd id="latency">${latency.value === null ? "–" : `${latency.value.toFixed(1)} s`}</dd></div>
        <div><dt>Camera</dt><dd>${now?.camera ?? "–"}</dd></div>
        <div><dt>Encoder</dt><dd>${now?.encoder ?? "–"}</dd></div>
      </dl>
      ${system.value && system.value.warnings.length > 0 && html`<p class="notice" role="status">${system.value.warnings.join(" ")}</p>`}
      <${Reasons} camera=${now} />
      ${system.value && html`<${Foot} system=${system.value} />`}
    </div>`;
}

/** Why this camera and this encoder were chosen. @param {{ camera: Camera | null }} props */
export function Reasons({ camera }) {
  if (!camera || (camera.chosen === null && camera.reasons.length === 0)) return null;
  return html`
    <details class="choice">
      <summary>Why this camera and this encoder</summary>
      <ul>
        ${camera.chosen !== null && html`<li data-chosen>${sentence(camera.chosen)}</li>`}
        ${camera.reasons.map((reason) => html`<li key=${reason}>${sentence(reason)}</li>`)}
      </ul>
    </details>`;
}

/** @param {{ system: System }} props */
function Foot({ system }) {
  const { version, uptime_seconds, temperature_celsius } = system;
  // Only the owner and browsers on the board itself are told.
  const parts = version === undefined || uptime_seconds === undefined ? [] : [`Perch ${version}`, `up ${asDuration(uptime_seconds)}`];
  if (temperature_celsius != null) parts.push(`${Math.round(temperature_celsius)} °C`);
  return html`<footer class="foot"><span>${parts.join(" · ")}</span> <a href="/media/live/index.m3u8">Address for other players</a></footer>`;
}
