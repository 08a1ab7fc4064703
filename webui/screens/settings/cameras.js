// For the owner: the cameras, why they run as they do, and their controls.

import { api, sentence } from "../../site/api.js";
import { nameOf } from "../../site/words.js";
import { html, useEffect, useId, useSignal } from "../../parts/html.js";
import { Refusal, useTask } from "../../parts/task.js";
import { useCameras } from "../../parts/usecameras.js";
import { Reasons } from "../own.js";
import { Microphone } from "./microphone.js";

/** @import { Camera, CameraDetails, Control } from "../../types.js" */

/** @type {Record<Camera["state"], string>} */
const STATES = { starting: "Starting", live: "On", waiting: "Waiting", stopped: "Off" };

export function Cameras() {
  const { cameras, problem } = useCameras();
  if (problem.value && !cameras.value) return html`<p class="refusal" role="alert">${problem.value}</p>`;
  return html`${cameras.value?.map((camera) => html`<${One} key=${camera.name} camera=${camera} />`)}`;
}

/** @param {{ camera: Camera }} props */
function One({ camera }) {
  const { name, state, stream, user, detail, encoder, width, height, frames_per_second } = camera;
  const rate = frames_per_second && Math.round(frames_per_second * 10) / 10;
  return html`
    <article class="panel">
      <h3>${name} <span class="state" data-state=${state}>${STATES[state]}</span></h3>
      ${detail && html`<p>${sentence(detail)}</p>`}
      ${stream && user && html`<p><a href="/watch/${stream}">${nameOf(user)} is live on this camera</a></p>`}
      <dl class="facts">
        <div><dt>Camera</dt><dd>${camera.camera ?? "–"}</dd></div>
        <div><dt>Encoder</dt><dd>${encoder ?? "–"}</dd></div>
        <div><dt>Picture</dt><dd>${width && height && rate ? `${width} × ${height} · ${rate} fps` : "–"}</dd></div>
      </dl>
      <${Reasons} camera=${camera} />
      <${Microphone} name=${name} />
      <${Controls} name=${name} />
    </article>`;
}

/** @param {{ name: string }} props */
function Controls({ name }) {
  const controls = useSignal(/** @type {Control[]} */ ([]));
  const task = useTask();
  const path = `/cameras/${encodeURIComponent(name)}`;
  const load = async () => {
    /** @type {CameraDetails} */
    const details = await api.get(path);
    controls.value = details.controls ?? [];
  };
  useEffect(() => void load().catch(() => {}), [name]);
  /** @param {Control} control @param {number} value */
  const set = (control, value) => task.run(async () => {
    controls.value = (await api.patch(`${path}/controls`, { [control.id]: value })).controls;
  });
  if (controls.value.length === 0) return null;
  return html`
    <details class="choice"><summary>Camera controls</summary>
      <div class="controls">${controls.value.map((control) => html`<${Knob} key=${control.id} control=${control} set=${(/** @type {number} */ value) => set(control, value)} />`)}</div>
      <${Refusal} task=${task} />
    </details>`;
}

/** @param {{ control: Control, set: (value: number) => void }} props */
function Knob({ control, set }) {
  const id = useId();
  const { kind, min, max, step, items } = control;
  const disabled = control.read_only || control.inactive;
  const value = Number(control.value ?? control.default);
  const changed = (/** @type {any} */ event) => set(Number(event.currentTarget.value));
  switch (kind) {
    case "button": return html`<div><button class="button" type="button" disabled=${disabled} onClick=${() => set(1)}>${control.name}</button></div>`;
    case "boolean": return html`<div class="switch"><input id=${id} type="checkbox" role="switch" disabled=${disabled} checked=${value !== 0} onChange=${(/** @type {any} */ event) => set(event.currentTarget.checked ? 1 : 0)} /><label for=${id}>${control.name}</label></div>`;
    case "menu": return html`<div class="field"><label for=${id}>${control.name}</label><select id=${id} disabled=${disabled} onChange=${changed}>${items.map((item) => html`<option key=${item.value} value=${item.value} selected=${item.value === value}>${item.name}</option>`)}</select></div>`;
    default: return html`<div class="field"><label for=${id}>${control.name} <span class="quiet">${value}</span></label><input id=${id} type="range" disabled=${disabled} min=${min} max=${max} step=${step || 1} value=${value} onChange=${changed} /></div>`;
  }
}
