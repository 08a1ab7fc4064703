// The picture of a stream: the player, and a cover that says why there is no picture.

import { Player } from "../player.js";
import { at } from "../site/base.js";
import { clock } from "../site/clock.js";
import { TimeCodeReader } from "../timecode.js";
import { html, useEffect, useRef, useSignal } from "./html.js";
import { SoundControl, useSound } from "./sound.js";

/** @import { Signal } from "@preact/signals" */

/**
 * @param {object} props
 * @param {string} props.playlist
 * @param {boolean} props.isOn  whether there is something to play
 * @param {string} props.headline  why not
 * @param {string} [props.detail]  details: what is missing, and what to do
 * @param {boolean} [props.isBusy]  whether the picture will come by itself
 * @param {string | null} [props.poster]
 * @param {{ width: number | null, height: number | null }} props.size
 * @param {Signal<number | null>} [props.latency]  receives the picture's age in seconds
 * @param {Signal<boolean>} [props.hasPicture]  set when the first picture is shown
 * @param {() => void} [props.onEnd]  called when the stream was played to its end
 * @param {any} [props.children]  on the cover, under the words
 */
export function Stage({ playlist, isOn, headline, detail = "", isBusy = false, poster = null, size, latency, hasPicture: told, onEnd, children }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const player = useRef(/** @type {Player | null} */ (null));
  const hasPicture = useSignal(false);
  const refused = useSignal(false);
  const sound = useSound();
  const atEnd = useRef(onEnd);
  atEnd.current = onEnd;

  useEffect(() => {
    const screen = /** @type {HTMLVideoElement} */ (video.current);
    const loudness = sound.begin(screen, true);
    screen.disableRemotePlayback = true;
    const own = new Player(screen, at(playlist), () => clock.now());
    const timeCode = new TimeCodeReader(screen);
    player.current = own;
    own.addEventListener("picture", () => {
      hasPicture.value = true;
      if (told) told.value = true;
    });
    own.addEventListener("sound", (event) => (sound.hasSound.value = /** @type {CustomEvent<boolean>} */ (event).detail));
    own.addEventListener("silenced", () => loudness.silence());
    own.addEventListener("refused", () => (refused.value = true));
    own.addEventListener("trouble", (event) => {
      const { kind, fatal } = /** @type {CustomEvent<{ kind: string, fatal: boolean }>} */ (event).detail;
      console.warn(`player: ${kind}${fatal ? ", restarting" : ""}`);
    });
    const onPlaying = () => (refused.value = false);
    const onEnded = () => atEnd.current?.();
    screen.addEventListener("playing", onPlaying);
    screen.addEventListener("ended", onEnded);
    const tell = () => {
      if (!latency || document.hidden) return;
      const now = clock.now();
      const made = hasPicture.value ? timeCode.read() : null;
      const measured = made !== null && now !== null ? (now - made) / 1000 : own.latency;
      latency.value = measured !== null && !screen.paused && Math.abs(measured) < 3600 ? measured : null;
    };
    const timer = setInterval(tell, 1000);
    return () => {
      clearInterval(timer);
      screen.removeEventListener("playing", onPlaying);
      screen.removeEventListener("ended", onEnded);
      own.close();
      sound.end();
    };
  }, [playlist]);

  useEffect(() => {
    if (isOn) player.current?.play();
    else player.current?.rest();
  }, [isOn, playlist]);

  const { width, height } = size;
  return html`
    <section class="stage" data-picture=${hasPicture.value ? "yes" : "no"} style=${width && height ? { aspectRatio: `${width} / ${height}` } : null} aria-label="Picture" onKeyDown=${sound.onKey}>
      ${poster && !hasPicture.value && html`<img class="poster" src=${poster} alt="" />`}
      <video ref=${video} muted playsinline controls aria-label="Live picture of the camera"></video>
      ${hasPicture.value && html`<${SoundControl} of=${sound} />`}
      <div class="cover" hidden=${isOn && hasPicture.value}>
        ${(isBusy || isOn) && !refused.value && html`<div class="perching" aria-hidden="true"></div>`}
        <p class="headline" role="status">${refused.value ? "Press play" : isOn ? "Loading the picture" : headline}</p>
        <p class="detail">${isOn ? "" : detail}</p>
        ${!isOn && children}
      </div>
    </section>`;
}
