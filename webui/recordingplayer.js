// Plays a recording from any second, also one that still grows: hls.js where there is MSE, the browser's own HLS elsewhere.
// No words for people here.

import { followSound, playsSound } from "./soundtrack.js";
import Hls, { ErrorTypes, Events } from "./vendor/hls.js";

/** Seconds between attempts, the first and the longest. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 8;

export class RecordingPlayer extends EventTarget {
  #video;
  #address;
  /** @type {Hls | null} */
  #hls = null;
  /** Where to go on, seconds into the recording. */
  #at;
  #pause = FIRST_PAUSE;
  /** @type {number | undefined} */
  #timer;
  #listening = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {string} address  of the playlist
   * @param {number} at  seconds into the recording
   */
  constructor(video, address, at) {
    super();
    this.#video = video;
    this.#address = address;
    this.#at = at;
    const { signal } = this.#listening;
    video.addEventListener("timeupdate", () => this.#moved(), { signal });
    video.addEventListener("seeking", () => this.#moved(), { signal });
    video.addEventListener("loadeddata", () => this.#picture(), { signal });
    this.#begin();
  }

  /** Goes there. @param {number} at  seconds into the recording */
  seek(at) {
    this.#at = at;
    this.#video.currentTime = at;
  }

  /** Nobody looks any more: nothing is loaded from now on. */
  close() {
    clearTimeout(this.#timer);
    this.#listening.abort();
    this.#hls?.destroy();
    this.#hls = null;
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  #picture() {
    this.dispatchEvent(new Event("picture"));
    if (!this.#hls) this.#soundIs(playsSound(this.#video));
  }

  /** @param {boolean} hasSound */
  #soundIs(hasSound) {
    this.dispatchEvent(new CustomEvent("sound", { detail: hasSound }));
  }

  #moved() {
    // Before it has loaded, a video stands at 0.
    if (this.#video.readyState === 0) return;
    this.#at = this.#video.currentTime;
    this.#pause = FIRST_PAUSE;
    this.dispatchEvent(new CustomEvent("moved", { detail: this.#at }));
  }

  #begin() {
    clearTimeout(this.#timer);
    this.#hls?.destroy();
    this.#hls = null;
    if (!Hls.isSupported()) {
      // A fragment of the address has the browser begin there.
      this.#video.src = `${this.#address}#t=${this.#at}`;
      return;
    }
    const hls = new Hls({
      enableWorker: false,
      startPosition: this.#at,
      backBufferLength: 60,
      maxBufferLength: 20,
      maxMaxBufferLength: 40,
      // One that grows is played from where people want to see it: by default nothing jumps to its end.
      maxLiveSyncPlaybackRate: 1,
    });
    let mediaErrors = 0;
    hls.on(Events.ERROR, (_event, data) => {
      if (!data.fatal || hls !== this.#hls) return;
      this.dispatchEvent(new CustomEvent("trouble", { detail: { kind: data.details, status: data.response?.code ?? 0 } }));
      if (data.type === ErrorTypes.MEDIA_ERROR && mediaErrors++ === 0) hls.recoverMediaError();
      else this.#beginLater();
    });
    followSound(hls, (hasSound) => this.#soundIs(hasSound));
    this.#hls = hls;
    hls.loadSource(this.#address);
    hls.attachMedia(this.#video);
  }

  #beginLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(), this.#pause * 1000);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }
}
