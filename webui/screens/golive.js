// Go live: camera, texts and quality; or the user's stream, if it is already live.

import { api, asProblem, sentence } from "../site/api.js";
import { bitratesOf, nearest, sizesOf } from "../site/ability.js";
import { go } from "../site/addresses.js";
import { askSystem } from "../site/clock.js";
import { me, settings } from "../site/session.js";
import { nameOf } from "../site/words.js";
import { Choice, Form, Submit, Switch } from "../parts/form.js";
import { mayGoLive } from "../parts/header.js";
import { html, useEffect, useSignal } from "../parts/html.js";
import { Icon } from "../parts/icon.js";
import { LogInFirst } from "../parts/loginfirst.js";
import { usePoll } from "../parts/poll.js";
import { PreflightWords } from "../parts/preflight.js";
import { RelayChoice } from "../parts/relaychoice.js";
import { PictureField, StreamWords, WORD_FIELDS } from "../parts/streamwords.js";
import { Refusal, useTask } from "../parts/task.js";
import { useTitle } from "../parts/title.js";
import { toast } from "../parts/toast.js";
import { LOOK, useCameras } from "../parts/usecameras.js";
import { Running } from "./running.js";

/**
 * @import { Signal } from "@preact/signals"
 * @import { Ability, Camera, CameraDetails, Relay } from "../types.js"
 */

const DURATIONS = /** @type {[string, string][]} */ ([
  ["", "Until I stop it"], ["900", "15 minutes"], ["1800", "30 minutes"], ["3600", "1 hour"], ["7200", "2 hours"], ["14400", "4 hours"], ["28800", "8 hours"],
]);
const FIELDS = [...WORD_FIELDS, "camera", "width", "height", "fps", "bitrate_kbps", "duration_seconds"];

export function Screen() {
  useTitle("Go live");
  const who = me.value;
  const { cameras, problem } = useCameras();
  /** The user's stream from another program, which has no camera. */
  const published = useSignal(/** @type {string | null} */ (null));
  usePoll(async (signal) => {
    if (who) published.value = (await api.get("/me", { signal })).live_stream;
    return LOOK;
  }, [who?.username]);
  if (!who) return html`<${LogInFirst} words="Log in to go live." />`;
  if (!mayGoLive(who.role)) {
    return html`<div class="empty"><div class="perched" aria-hidden="true"></div><h1>Not yet</h1><p>Your account can watch and chat. The owner of ${settings.value?.site_name ?? "this site"} can make you a streamer.</p></div>`;
  }
  if (!cameras.value) return html`<p class="waiting" role="status">${problem.value || "Loading"}</p>`;
  const running = cameras.value.find(({ user, stream }) => stream && user?.username === who.username)?.stream ?? published.value;
  if (running) return html`<${Running} key=${running} id=${running} />`;
  if (cameras.value.length === 0) return html`<div class="empty"><h1>No camera</h1><p>Connect one to the board, and Perch will find it.</p></div>`;
  return html`<${Start} cameras=${cameras.value} />`;
}

/** The user whose stream has it, if any. @param {Camera} camera */
const takenBy = ({ stream, user }) => (stream && user ? user : null);

/** @param {{ cameras: Camera[] }} props */
function Start({ cameras }) {
  const task = useTask();
  const words = { title: useSignal(""), description: useSignal(""), topics: useSignal(/** @type {string[]} */ ([])), visibility: useSignal("public") };
  const picture = useSignal(/** @type {Blob | null} */ (null));
  const camera = useSignal((cameras.find((one) => !takenBy(one)) ?? cameras[0])?.name ?? "");
  const duration = useSignal("");
  const record = useSignal(false);
  // Without them, the stream is sent where the camera's configuration says.
  const relays = useSignal(/** @type {Relay[] | null} */ (null));
  const sentTo = useSignal(/** @type {string[]} */ ([]));
  useEffect(() => void api.get("/relays").then(({ items }) => (relays.value = items)).catch(() => {}), []);
  useEffect(() => {
    sentTo.value = (relays.value ?? []).filter((relay) => relay.cameras.includes(camera.value)).map(({ name }) => name);
  }, [relays.value, camera.value]);
  const size = useSignal("");
  const fps = useSignal("");
  const bitrate = useSignal("");
  const isReady = size.value !== "";
  const warnings = useSignal(/** @type {string[]} */ ([]));
  // About a coming restart or a full card; a failure does not prevent going live.
  useEffect(() => void askSystem().then((system) => (warnings.value = system.warnings)).catch(() => {}), []);
  const chosen = cameras.find(({ name }) => name === camera.value);
  const work = async () => {
    const [width, height] = size.value.split("x").map(Number);
    const stream = await api.post("/streams", {
      title: words.title.value, description: words.description.value, topics: words.topics.value, visibility: words.visibility.value,
      camera: camera.value, width, height, fps: Number(fps.value), bitrate_kbps: Number(bitrate.value), record: record.value,
      ...(duration.value ? { duration_seconds: Number(duration.value) } : {}),
      ...(relays.value ? { relays: sentTo.value } : {}),
    });
    if (picture.value) {
      // Without the picture it is live all the same.
      await api.put(`/streams/${stream.id}/thumbnail.jpg`, picture.value).catch((error) => toast(asProblem(error).message));
    }
    go(`/watch/${stream.id}`);
  };
  return html`
    <div class="go-live-screen">
      <h1>Go live</h1>
      ${warnings.value.map((words) => html`<p key=${words} class="notice" role="status">${words}</p>`)}
      <${Form} task=${task} work=${work} class="form two-columns">
        <div class="column">
          <${Cameras} cameras=${cameras} chosen=${camera} />
          ${settings.value?.ingest && html`<p class="quiet">Or stream from <a href="/settings/programs">another program</a>, such as OBS or your phone.</p>`}
          <${Quality} key=${`${camera.value} ${chosen?.state}`} camera=${camera.value} task=${task} size=${size} fps=${fps} bitrate=${bitrate} />
        </div>
        <div class="column">
          <${StreamWords} words=${words} task=${task} />
          <${PictureField} label="Picture" file=${picture} hint="Shown in lists. Without one, Perch takes a picture from the stream." />
          <${Choice} label="Duration" name="duration_seconds" task=${task} value=${duration} choices=${DURATIONS} />
          <${Switch} label="Record" hint="Keeps the stream for later, if this Perch writes recordings." value=${record} />
          ${relays.value?.length ? html`<${RelayChoice} relays=${relays.value} chosen=${sentTo} /><${PreflightWords} camera=${camera.value} bitrate=${bitrate.value} relays=${sentTo.value} />` : null}
          <${Refusal} task=${task} fields=${FIELDS} />
          <${Submit} task=${task} disabled=${!isReady}><${Icon} name="live" />Go live<//>
        </div>
      <//>
    </div>`;
}

/** @param {{ cameras: Camera[], chosen: Signal<string> }} props */
function Cameras({ cameras, chosen }) {
  const now = cameras.find(({ name }) => name === chosen.value);
  const taker = now ? takenBy(now) : null;
  return html`
    <fieldset class="field cameras"><legend>Camera</legend>
      ${now && html`<${View} camera=${now} />`}
      ${cameras.map((camera) => html`
        <label key=${camera.name} class="camera">
          <input type="radio" name="camera" value=${camera.name} checked=${camera.name === chosen.value} onChange=${() => (chosen.value = camera.name)} />
          <span class="grow"><strong>${camera.name}</strong> <span class="quiet">${camera.camera ?? ""}</span></span>
          ${takenBy(camera) && html`<span class="tag">In use</span>`}
        </label>`)}
      ${taker && now && html`<p class="field-words" role="status">${nameOf(taker)} has this camera: <a href="/watch/${now.stream}">watch the stream</a>. It is free when that ends.</p>`}
      ${now?.detail && html`<p class="field-words" role="status">${sentence(now.detail)}</p>`}
    </fieldset>`;
}

/** What the camera sees, if it is on; it is not switched on for this. @param {{ camera: Camera }} props */
function View({ camera }) {
  const address = useSignal("");
  const { name, state } = camera;
  // Refreshed with every list of cameras.
  useEffect(() => {
    if (state === "live") address.value = `/api/v1/cameras/${encodeURIComponent(name)}/snapshot.jpg?width=640&at=${Math.floor(Date.now() / LOOK)}`;
    else address.value = "";
  }, [camera]);
  const failed = () => (address.value = "");
  return html`
    <div class="picture">
      ${address.value
        ? html`<img src=${address.value} alt="What the camera sees now" width="640" height="360" onError=${failed} />`
        : html`<div class="no-picture"><${Icon} name="camera" /><span>${state === "live" ? "No picture at the moment" : "The camera is off until you go live"}</span></div>`}
    </div>`;
}

/**
 * Size, frame rate and bitrate that the camera supports.
 * @param {{ camera: string, task: import("../parts/task.js").Task, size: Signal<string>, fps: Signal<string>, bitrate: Signal<string> }} props
 */
function Quality({ camera, task, size, fps, bitrate }) {
  const ability = useSignal(/** @type {Ability | null} */ (null));
  const problem = useSignal("");
  useEffect(() => {
    size.value = "";
    const gone = new AbortController();
    api.get(`/cameras/${encodeURIComponent(camera)}`, { signal: gone.signal }).then((/** @type {CameraDetails} */ details) => {
      ability.value = details.ability;
      if (!details.ability) {
        problem.value = sentence(details.detail || "this camera is not connected at the moment");
        return;
      }
      const sizes = sizesOf(details.ability);
      const wanted = (details.width ?? 1280) * (details.height ?? 720);
      const area = nearest(sizes.map(({ width, height }) => width * height), wanted);
      const best = sizes.find(({ width, height }) => width * height === area);
      if (best) pick(`${best.width}x${best.height}`, details.frames_per_second ?? 30);
      else problem.value = "This camera offers no picture size at the moment.";
    }).catch((error) => {
      if (!gone.signal.aborted) problem.value = asProblem(error).message;
    });
    return () => gone.abort();
  }, [camera]);

  const sizes = ability.value ? sizesOf(ability.value) : [];
  /** Sets a size, with the nearest frame rate and a suitable bitrate. @param {string} key @param {number} rate */
  const pick = (key, rate) => {
    const able = ability.value;
    const found = able && sizesOf(able).find(({ width, height }) => `${width}x${height}` === key);
    if (!found || !able) return;
    const nearestRate = nearest(found.rates, rate);
    size.value = key;
    fps.value = String(nearestRate);
    bitrate.value = String(bitratesOf(able, { ...found, fps: nearestRate }).recommended);
  };
  if (problem.value) return html`<p class="refusal" role="alert">${problem.value}</p>`;
  const now = sizes.find(({ width, height }) => `${width}x${height}` === size.value);
  if (!ability.value || !now) return html`<p class="waiting" role="status">Checking what the camera supports</p>`;
  const bitrates = bitratesOf(ability.value, { ...now, fps: Number(fps.value) });
  return html`
    <div class="three">
      <${Choice} label="Size" name="width" task=${task} value=${{ get value() { return size.value; }, set value(key) { pick(key, Number(fps.value)); } }}
        choices=${sizes.map(({ width, height }) => [`${width}x${height}`, `${width} × ${height}`])} />
      <${Choice} label="Frame rate" name="fps" task=${task} value=${{ get value() { return fps.value; }, set value(rate) { pick(size.value, Number(rate)); } }} choices=${now.rates.map((rate) => [String(rate), `${rate} fps`])} />
      <${Choice} label="Bitrate" name="bitrate_kbps" task=${task} value=${bitrate}
        choices=${bitrates.choices.map((rate) => [String(rate), `${rate} kbit/s`])} />
    </div>
    <p class="field-words">${bitrates.recommended} kbit/s suits this picture. Each viewer uses that much of the network.</p>`;
}
