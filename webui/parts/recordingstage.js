// The picture of a recording, and a cover over it that says why there is none.

import { RecordingPlayer } from "../recordingplayer.js";
import { api } from "../site/api.js";
import { html, useEffect, useRef, useSignal } from "./html.js";
import { SoundControl, useSound } from "./sound.js";

/** @import { Signal } from "@preact/signals" */

/** A login is renewed in time when something asks the API; a long recording asks for nothing else. Milliseconds. */
const STAY_LOGGED_IN = 5 * 60_000;

/**
 * @param {object} props
 * @param {string} props.playlist
 * @param {number} [props.at]  where to begin, seconds
 * @param {boolean} [props.isPlaying]  begin to play by itself
 * @param {boolean} [props.isForMembers]
 * @param {string | null} [props.poster]
 * @param {{ width: number, height: number }} props.size
 * @param {Signal<number>} props.position  where the picture on show is, seconds into the recording
 * @param {Signal<((at: number) => void) | null>} props.seek  where to put what goes to another second
 */
export function RecordingStage({ playlist, at = 0, isPlaying = false, isForMembers = false, poster = null, size, position, seek }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const hasPicture = useSignal(false);
  const trouble = useSignal("");
  const sound = useSound();

  useEffect(() => {
    const screen = /** @type {HTMLVideoElement} */ (video.current);
    screen.disableRemotePlayback = true;
    const loudness = sound.begin(screen, isPlaying);
    const player = new RecordingPlayer(screen, playlist, at);
    position.value = at;
    seek.value = (second) => player.seek(second);
    player.addEventListener("moved", (event) => (position.value = /** @type {CustomEvent<number>} */ (event).detail));
    player.addEventListener("picture", () => {
      hasPicture.value = true;
      trouble.value = "";
      // Browsers may refuse to play with sound before the user has touched the page: then it plays muted.
      if (isPlaying) screen.play().catch(() => {
        loudness.silence();
        return screen.play();
      }).catch(() => {});
    });
    player.addEventListener("sound", (event) => (sound.hasSound.value = /** @type {CustomEvent<boolean>} */ (event).detail));
    player.addEventListener("trouble", (event) => {
      const { kind, status } = /** @type {CustomEvent<{ kind: string, status: number }>} */ (event).detail;
      console.warn(`player: ${kind} ${status}`);
      trouble.value = status === 404 ? "This recording has been deleted." : "The recording cannot be loaded. Trying again.";
    });
    return () => {
      seek.value = null;
      player.close();
      sound.end();
    };
  }, [playlist]);

  useEffect(() => {
    if (!isForMembers) return undefined;
    const timer = setInterval(() => void api.get("/me").catch(() => {}), STAY_LOGGED_IN);
    return () => clearInterval(timer);
  }, [isForMembers]);

  return html`
    <section class="stage" data-picture=${hasPicture.value ? "yes" : "no"} style=${{ aspectRatio: `${size.width} / ${size.height}` }} aria-label="Recording" onKeyDown=${sound.onKey}>
      ${poster && !hasPicture.value && html`<img class="poster" src=${poster} alt="" />`}
      <video ref=${video} playsinline controls aria-label="Recording"></video>
      ${hasPicture.value && !trouble.value && html`<${SoundControl} of=${sound} />`}
      <div class="cover" hidden=${hasPicture.value && !trouble.value}>
        ${!trouble.value && html`<div class="perching" aria-hidden="true"></div>`}
        <p class="headline" role="status">${trouble.value || "Loading the recording"}</p>
      </div>
    </section>`;
}
