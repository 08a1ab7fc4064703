// A player's sound: a clear button while the browser keeps it muted, a small one with the volume's slider once the user has chosen.

import { Sound } from "../site/sound.js";
import { html, useSignal } from "./html.js";
import { Icon } from "./icon.js";

/** @import { Signal } from "@preact/signals" */

/** The sound of a player's video. `begin` and `end` go with the player; `hasSound` is what the player has found. */
export function useSound() {
  const sound = useSignal(/** @type {Sound | null} */ (null));
  const hasSound = useSignal(false);
  return {
    sound,
    hasSound,
    /**
     * @param {HTMLVideoElement} video
     * @param {boolean} playsByItself
     */
    begin: (video, playsByItself) => (sound.value = new Sound(video, playsByItself)),
    end: () => {
      sound.value?.close();
      sound.value = null;
      hasSound.value = false;
    },
    /** @param {KeyboardEvent} event */
    onKey: (event) => {
      // The slider has keys of its own.
      const isSlider = event.target instanceof HTMLInputElement && event.key.startsWith("Arrow");
      if (hasSound.value && !isSlider) sound.value?.key(event);
    },
  };
}

/** @param {{ of: { sound: Signal<Sound | null>, hasSound: Signal<boolean> } }} props */
export function SoundControl({ of: { sound, hasSound } }) {
  const now = sound.value;
  if (!now || !hasSound.value) return null;
  const isMuted = now.muted.value || now.volume.value === 0;
  const percent = isMuted ? 0 : Math.round(now.volume.value * 100);
  return html`
    <div class="sound" data-waits=${now.isForced.value && isMuted}>
      <button type="button" title=${isMuted ? "Unmute (M)" : "Mute (M)"} onClick=${() => now.toggle()}><${Icon} name=${isMuted ? "muted" : "sound"} /><span class=${now.isForced.value && isMuted ? null : "sr-only"}>${isMuted ? "Unmute" : "Mute"}</span></button>
      <input type="range" min="0" max="100" step="5" value=${percent} aria-label="Volume" aria-valuetext="${percent} %"
        onInput=${(/** @type {any} */ event) => now.set(Number(event.currentTarget.value) / 100)} />
    </div>`;
}
