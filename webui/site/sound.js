// How loud this browser plays: the user's choice, kept for the next stream and the next visit.

import { signal } from "../vendor/signals.js";

const SOUND = "perch.sound";
/** A press of a key changes the volume by this much. */
const STEP = 0.05;
/** Unmuted with the slider at its lower end, a video is set to this volume. */
const AUDIBLE = 0.5;

/** @typedef {{ muted: boolean | null, volume: number }} Choice  muted: null until the user has chosen. volume: 0 to 1. */

/** @returns {Choice} */
export function soundChoice() {
  try {
    const { muted, volume } = JSON.parse(localStorage.getItem(SOUND) ?? "null") ?? {};
    const isVolume = typeof volume === "number" && volume >= 0 && volume <= 1;
    return { muted: typeof muted === "boolean" ? muted : null, volume: isVolume ? volume : 1 };
  } catch {
    // No storage, or a foreign value in it.
    return { muted: null, volume: 1 };
  }
}

/** @param {Choice} choice */
function keep(choice) {
  try {
    localStorage.setItem(SOUND, JSON.stringify(choice));
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

/** Gives a video the chosen sound, and keeps what the user changes, also with the browser's own controls. */
export class Sound {
  muted = signal(true);
  volume = signal(1);
  /** Muted to be allowed to play, not because the user chose it. */
  isForced = signal(false);
  #video;
  #listening = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {boolean} playsByItself  Before the user has chosen, such a video is muted: browsers allow nothing else.
   */
  constructor(video, playsByItself) {
    this.#video = video;
    const { muted, volume } = soundChoice();
    this.isForced.value = muted === null && playsByItself;
    video.volume = volume;
    video.muted = muted ?? playsByItself;
    this.#tell();
    video.addEventListener("volumechange", () => this.#changed(), { signal: this.#listening.signal });
  }

  /** The browser plays only without sound until the user taps. The user's choice stays. */
  silence() {
    this.isForced.value = true;
    this.#video.muted = true;
    this.#tell();
  }

  toggle() {
    if (this.#video.muted && this.#video.volume === 0) this.#video.volume = AUDIBLE;
    this.#video.muted = !this.#video.muted;
  }

  /** @param {number} volume  0 to 1 */
  set(volume) {
    this.#video.volume = Math.min(1, Math.max(0, Math.round(volume * 100) / 100));
    this.#video.muted = this.#video.volume === 0;
  }

  /**
   * A key pressed on the player: M mutes, the arrows up and down change the volume.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { muted, volume } = this.#video;
    if (event.key === "m" || event.key === "M") this.toggle();
    else if (event.key === "ArrowUp") this.set(muted ? STEP : volume + STEP);
    else if (event.key !== "ArrowDown") return;
    else if (!muted) this.set(volume - STEP);
    event.preventDefault();
  }

  close() {
    this.#listening.abort();
  }

  #changed() {
    const { muted, volume } = this.#video;
    this.#tell();
    if (this.isForced.value && muted) return;
    this.isForced.value = false;
    keep({ muted, volume });
  }

  #tell() {
    this.muted.value = this.#video.muted;
    this.volume.value = this.#video.volume;
  }
}
