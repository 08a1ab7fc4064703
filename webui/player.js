// Plays the live stream: hls.js where there is MSE, the browser's own HLS elsewhere.
// Decides how far behind the live edge to play, and restarts when it is stuck. No texts for people here.

import { followSound, playsSound } from "./soundtrack.js";
import Hls, { ErrorTypes, Events } from "./vendor/hls.js";

/** Distance to the newest picture, in target durations: the next segment is listed when half of one is left to play. */
const LAG = 1.5;
/** If it is farther behind than this, it jumps forward, in target durations. */
const TOO_FAR = 5;
/** If the picture stands still this long while the camera is live, in seconds, the player restarts. */
const PATIENCE = 6;
/** Seconds between attempts: the first pause and the longest. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 8;

export class Player extends EventTarget {
  #video;
  #address;
  #now;
  /** @type {Hls | null} */
  #hls = null;
  #wanted = false;
  /** Whether it is running: before that the first picture is shown as a still. */
  #running = false;
  #pictureAt = 0;
  #pause = FIRST_PAUSE;
  /** @type {number | undefined} */
  #timer;
  #lastTime = -1;
  #stillSince = 0;
  #watching;
  #listening = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {string} address of the playlist
   * @param {() => number | null} now  The daemon's wall clock, Unix milliseconds.
   */
  constructor(video, address, now) {
    super();
    this.#video = video;
    this.#address = address;
    this.#now = now;
    const { signal } = this.#listening;
    video.addEventListener("loadeddata", () => this.#picture(), { signal });
    video.addEventListener("play", () => this.#resumed(), { signal });
    this.#watching = setInterval(() => this.#watch(), 1000);
  }

  /** Plays the stream; does nothing if it already plays. */
  play() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#pause = FIRST_PAUSE;
    this.#begin();
  }

  /** Pauses while the stream is away. The last picture stays. */
  rest() {
    this.#wanted = false;
    clearTimeout(this.#timer);
  }

  /** Stops loading for good. */
  close() {
    this.rest();
    clearInterval(this.#watching);
    this.#listening.abort();
    this.#hls?.destroy();
    this.#hls = null;
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  /** Age of the picture shown, in seconds since its capture, or null if unknown. */
  get latency() {
    const shown = this.#hls?.playingDate?.getTime() ?? this.#nativeDate();
    const now = this.#now();
    return shown === null || now === null || !this.#running ? null : (now - shown) / 1000;
  }

  /** @returns {number | null} */
  #nativeDate() {
    const video = /** @type {HTMLVideoElement & { getStartDate?: () => Date }} */ (this.#video);
    const start = video.getStartDate?.().getTime();
    return start === undefined || Number.isNaN(start) ? null : start + video.currentTime * 1000;
  }

  #begin() {
    clearTimeout(this.#timer);
    this.#hls?.destroy();
    this.#hls = null;
    this.#running = false;
    this.#stillSince = performance.now();
    if (Hls.isSupported()) {
      this.#beginWithMediaSource();
    } else {
      this.#video.src = this.#address;
      this.#video.load();
    }
  }

  #beginWithMediaSource() {
    const hls = new Hls({
      enableWorker: false,
      lowLatencyMode: true,
      liveSyncDurationCount: LAG,
      liveMaxLatencyDurationCount: TOO_FAR,
      maxLiveSyncPlaybackRate: 1.1,
      backBufferLength: 20,
    });
    let mediaErrors = 0;
    hls.on(Events.ERROR, (_event, data) => {
      this.dispatchEvent(new CustomEvent("trouble", { detail: { kind: data.details, fatal: data.fatal } }));
      if (!data.fatal || hls !== this.#hls) return;
      if (data.type === ErrorTypes.MEDIA_ERROR && mediaErrors++ === 0) {
        hls.recoverMediaError();
      } else {
        this.#beginLater();
      }
    });
    followSound(hls, (hasSound) => this.#soundIs(hasSound));
    this.#hls = hls;
    hls.loadSource(this.#address);
    hls.attachMedia(this.#video);
  }

  /** @param {boolean} hasSound */
  #soundIs(hasSound) {
    this.dispatchEvent(new CustomEvent("sound", { detail: hasSound }));
  }

  #beginLater() {
    if (!this.#wanted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(), this.#pause * 1000);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  #picture() {
    this.#pictureAt = performance.now();
    this.dispatchEvent(new Event("picture"));
    if (!this.#hls) this.#soundIs(playsSound(this.#video));
    this.#run();
  }

  /**
   * Starts to play at the right distance. Early in a stream too little is loaded: the first picture is held until there is
   * enough. Late in a segment the newest picture is farther away than the playlist says: part of what was loaded is skipped.
   */
  #run() {
    if (this.#running) return;
    clearTimeout(this.#timer);
    const ahead = this.#secondsAhead();
    if (ahead > 0.05) {
      this.#timer = setTimeout(() => this.#run(), ahead * 1000);
      return;
    }
    const goal = this.#video.currentTime - ahead;
    if (ahead < -0.2 && this.#isLoaded(goal)) this.#video.currentTime = goal;
    // The rest may be loaded in a moment, when this runs again; it waits no longer than that.
    if (ahead < -0.2 && !this.#isLoaded(goal) && performance.now() - this.#pictureAt < 500) {
      this.#timer = setTimeout(() => this.#run(), 50);
      return;
    }
    this.#running = true;
    void this.#start();
  }

  /** Browsers may refuse to play with sound before the user has touched the page: then it plays muted. */
  async #start() {
    try {
      await this.#video.play();
    } catch (error) {
      const isAllowedMuted = error instanceof DOMException && error.name === "NotAllowedError" && !this.#video.muted;
      if (isAllowedMuted) this.dispatchEvent(new Event("silenced"));
      if (isAllowedMuted && this.#video.muted) await this.#start();
      else this.dispatchEvent(new Event("refused"));
    }
  }

  /** @param {number} time */
  #isLoaded(time) {
    const { buffered } = this.#video;
    // With some more in reserve.
    return buffered.length > 0 && time + 0.5 < buffered.end(buffered.length - 1);
  }

  /** How much too near the newest picture the player is, in seconds; negative: too far from it. */
  #secondsAhead() {
    const details = this.#hls?.latestLevelDetails;
    const last = details?.fragments.at(-1);
    if (!details || !last) return 0;
    const lag = LAG * details.targetduration;
    const now = this.#now();
    let age = details.age;
    if (now !== null && last.programDateTime !== null) {
      const byClock = (now - last.programDateTime) / 1000 - last.duration;
      // Invalid if the clock was set in between.
      if (byClock >= 0 && byClock < 2 * details.targetduration) age = byClock;
    }
    return this.#video.currentTime - (details.edge + age - lag);
  }

  /** After a pause, play continues at the live edge. */
  #resumed() {
    const position = this.#hls?.liveSyncPosition;
    const { buffered, currentTime } = this.#video;
    if (!this.#running || !position || position - currentTime < 2) return;
    const end = buffered.length ? buffered.end(buffered.length - 1) : currentTime;
    this.#video.currentTime = Math.min(position, Math.max(end, currentTime));
  }

  #watch() {
    const { currentTime, paused } = this.#video;
    const moves = currentTime !== this.#lastTime;
    this.#lastTime = currentTime;
    if (moves && this.#running) this.#pause = FIRST_PAUSE;
    // A pause by the user is not a fault, and a browser may put a hidden page to sleep.
    if (moves || !this.#wanted || (paused && this.#running) || document.hidden) {
      this.#stillSince = performance.now();
    } else if (performance.now() - this.#stillSince > PATIENCE * 1000) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: { kind: "stuck", fatal: true } }));
      this.#begin();
    }
  }
}
