// A camera's microphone: its level, whether it keeps time, mute and gain.

import { api, sentence } from "../../site/api.js";
import { html, useId, useSignal } from "../../parts/html.js";
import { usePoll } from "../../parts/poll.js";
import { Refusal, useTask } from "../../parts/task.js";

/** @import { Microphone as State } from "../../types.js" */

/** Milliseconds between two looks: the level covers a third of a second. */
const LISTENING = 400;
const WAITING = 3000;
/** What the meter shows at its left end, dBFS. */
const QUIET = -60;

/** @param {{ name: string }} props */
export function Microphone({ name }) {
  const state = useSignal(/** @type {State | null} */ (null));
  const isOpen = useSignal(false);
  const task = useTask();
  const [mute, gain] = [useId(), useId()];
  const path = `/cameras/${encodeURIComponent(name)}/microphone`;
  usePoll(async (signal) => {
    try {
      state.value = await api.get(path, { signal });
    } catch {
      // The list of the cameras shows that the daemon is away.
    }
    return isOpen.value && state.value?.device ? LISTENING : WAITING;
  }, [name, isOpen.value]);
  const now = state.value;
  if (!now) return null;
  /** @param {{ muted?: boolean, gain_db?: number }} change */
  const set = (change) => task.run(async () => {
    state.value = await api.patch(path, change);
  });
  return html`
    <details class="choice" onToggle=${(/** @type {any} */ event) => { isOpen.value = event.currentTarget.open; }}>
      <summary>Microphone${now.device && html` <span class="quiet">${now.muted ? "muted" : "on: viewers hear it"}</span>`}</summary>
      ${now.device && html`<p>${now.device} <span class="quiet">${now.format}</span></p>`}
      ${now.detail && html`<p>${sentence(now.detail)}</p>`}
      ${!now.device && !now.detail && html`<p class="quiet">It is off, as its camera is.</p>`}
      ${now.device && html`<${Level} state=${now} />`}
      <div class="controls">
        <div class="switch"><input id=${mute} type="checkbox" role="switch" checked=${now.muted} onChange=${(/** @type {any} */ event) => set({ muted: event.currentTarget.checked })} /><label for=${mute}>Mute</label></div>
        <div class="field"><label for=${gain}>Gain <span class="quiet">${now.gain_db > 0 ? "+" : ""}${now.gain_db} dB</span></label><input id=${gain} type="range" min="-30" max="30" step="1" value=${now.gain_db} onChange=${(/** @type {any} */ event) => set({ gain_db: Number(event.currentTarget.value) })} /></div>
      </div>
      <${Refusal} task=${task} />
    </details>`;
}

/** @param {{ state: State }} props */
function Level({ state }) {
  const id = useId();
  const peak = state.peak_dbfs ?? -96;
  const words = peak <= -96 ? "silence" : `peak ${peak.toFixed(0)} dBFS, average ${(state.rms_dbfs ?? -96).toFixed(0)} dBFS`;
  const drift = state.drift_ppm;
  return html`
    <div class="field"><label for=${id}>Level <span class="quiet">${words}</span></label>
      <meter id=${id} min=${QUIET} max="0" low="-12" high="-3" optimum="-20" value=${Math.max(peak, QUIET)}>${words}</meter></div>
    ${drift !== null && html`<p class="quiet">Its clock is ${Math.abs(drift).toFixed(0)} ppm ${drift < 0 ? "slow" : "fast"}, which is corrected${state.mended > 0 ? `; ${state.mended} ${state.mended === 1 ? "gap" : "gaps"} filled or cut` : ""}.</p>`}`;
}
