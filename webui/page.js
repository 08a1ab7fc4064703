// The first page: asks the daemon how it is, plays when there is something to play, and says it in words.

import * as daemon from "./daemon.js";
import { Player } from "./player.js";
import { TimeCodeReader } from "./timecode.js";

/** Milliseconds between two questions: at once while a picture is coming, calmly when it is there. */
const AT_ONCE = 300;
const SOON = 1000;
const CALMLY = 3000;
const SYSTEM_EVERY = 10_000;

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return /** @type {T} */ (found);
}

const video = /** @type {HTMLVideoElement} */ (element("video"));
const stage = /** @type {HTMLElement} */ (video.parentElement);
const player = new Player(video, "/media/live/index.m3u8", () => daemon.clock.now());
const timeCode = new TimeCodeReader(video);

/** @typedef {daemon.Camera["state"] | "connecting" | "offline"} State */

/** @type {State} */
let state = "connecting";
let hasPicture = false;
let refused = false;
/** @type {string[]} */
let shownReasons = [];

/** @type {Record<State, { badge: string, headline: string, detail: string }>} */
const WORDS = {
  connecting: { badge: "Connecting", headline: "Connecting", detail: "" },
  offline: { badge: "Offline", headline: "Perch does not answer", detail: "Trying again by itself. Is the board switched on and in this network?" },
  starting: { badge: "Starting", headline: "Starting the camera", detail: "" },
  waiting: { badge: "Waiting for the camera", headline: "Waiting for the camera", detail: "" },
  stopped: { badge: "Not live", headline: "Nothing is live at the moment", detail: "" },
  live: { badge: "Live", headline: "Loading the picture", detail: "" },
};

/**
 * Writes only what has changed: a screen reader speaks every change.
 * @param {HTMLElement} where
 * @param {string} text
 */
function say(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/**
 * The daemon's words as they stand in its log, made to stand alone.
 * @param {string} words
 */
function sentence(words) {
  const begun = words.charAt(0).toUpperCase() + words.slice(1);
  return begun === "" || /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/** @param {daemon.Camera | null} camera */
function show(camera) {
  const words = WORDS[state];
  const badge = element("state");
  badge.dataset.state = state;
  say(badge, words.badge);
  say(element("headline"), refused ? "Press play" : words.headline);
  say(element("detail"), sentence(camera?.detail || words.detail));
  element("cover").hidden = state === "live" && hasPicture;
  stage.dataset.picture = hasPicture ? "yes" : "no";
  if (camera) showFacts(camera);
  document.title = state === "live" ? "Perch · live" : "Perch";
}

/** @param {daemon.Camera} camera */
function showFacts(camera) {
  say(element("camera"), camera.camera ?? "–");
  say(element("encoder"), camera.encoder ?? "–");
  const { width, height, frames_per_second: rate } = camera;
  say(element("mode"), width && height && rate ? `${width} × ${height} · ${Math.round(rate * 10) / 10} fps` : "–");
  if (width && height) stage.style.aspectRatio = `${width} / ${height}`;
  const { chosen, reasons } = camera;
  const lines = (chosen === null ? reasons : [chosen, ...reasons]).map(sentence);
  element("choice").hidden = lines.length === 0;
  if (lines.join("\n") === shownReasons.join("\n")) return;
  shownReasons = lines;
  element("reasons").replaceChildren(...lines.map((text, i) => {
    const line = document.createElement("li");
    line.textContent = text;
    if (chosen !== null && i === 0) line.dataset.chosen = "";
    return line;
  }));
}

async function askForCameras() {
  const before = state;
  /** @type {daemon.Camera | null} */
  let camera = null;
  try {
    camera = (await daemon.cameras())[0] ?? null;
    state = camera?.state ?? "stopped";
  } catch {
    state = "offline";
  }
  if (state !== "live") {
    player.rest();
  } else if (before === "live" || before === "connecting" || before === "starting") {
    player.play();
  } else {
    player.playAnew();
  }
  show(camera);
  const isComing = state === "starting" || (state === "live" && !hasPicture);
  setTimeout(askForCameras, isComing ? AT_ONCE : state === "live" ? CALMLY : SOON);
}

async function askForSystem() {
  try {
    const { version, uptime_seconds, temperature_celsius, warnings } = await daemon.system();
    const parts = [`Perch ${version}`, `up ${duration(uptime_seconds)}`];
    if (temperature_celsius !== null) parts.push(`${Math.round(temperature_celsius)} °C`);
    say(element("system"), parts.join(" · "));
    say(element("warnings"), warnings.join(" "));
    element("warnings").hidden = warnings.length === 0;
  } catch {
    // The other question tells that the daemon is away.
  }
  setTimeout(askForSystem, SYSTEM_EVERY);
}

/** @param {number} seconds */
function duration(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

function showLatency() {
  const now = daemon.clock.now();
  const made = state === "live" && hasPicture ? timeCode.read() : null;
  const measured = made !== null && now !== null ? (now - made) / 1000 : player.latency;
  const known = state === "live" && measured !== null && Math.abs(measured) < 3600;
  say(element("latency"), known ? `${measured.toFixed(1)} s` : "–");
}

player.addEventListener("picture", () => {
  hasPicture = true;
  element("cover").hidden = state === "live";
  stage.dataset.picture = "yes";
});
player.addEventListener("trouble", (event) => {
  const { kind, fatal } = /** @type {CustomEvent<{ kind: string, fatal: boolean }>} */ (event).detail;
  console.warn(`player: ${kind}${fatal ? ", beginning anew" : ""}`);
});
player.addEventListener("refused", () => {
  refused = true;
});
video.addEventListener("playing", () => {
  refused = false;
});

setInterval(showLatency, 1000);
askForSystem();
askForCameras();
