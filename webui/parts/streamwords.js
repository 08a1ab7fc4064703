// Form fields of a stream: title, description, topics, who can watch, and its picture. For going live and for editing.

import { loadTopics, topics } from "../site/topics.js";
import { Choice, Field } from "./form.js";
import { html, useEffect, useId, useRef, useSignal } from "./html.js";
import { Icon } from "./icon.js";

/**
 * @import { Signal } from "@preact/signals"
 * @import { Task } from "./task.js"
 */

/** The daemon's limit for a picture, bytes. */
const BIGGEST_PICTURE = 8 << 20;
const MOST_TOPICS = 8;

export const WORD_FIELDS = ["title", "description", "topics", "visibility"];

/**
 * @typedef {object} Words
 * @property {Signal<string>} title
 * @property {Signal<string>} description
 * @property {Signal<string[]>} topics  ids
 * @property {Signal<string>} visibility
 */

/** @param {{ words: Words, task: Task, usualTitle?: string }} props  usualTitle: of a stream without a title; else one is required */
export function StreamWords({ words, task, usualTitle }) {
  useEffect(() => void loadTopics().catch(() => {}), []);
  return html`
    <${Field} label="Title" name="title" task=${task} value=${words.title} maxlength="100" required=${!usualTitle} placeholder=${usualTitle} />
    <${Field} label="Description" name="description" task=${task} value=${words.description} rows="4" maxlength="5000" />
    <${Topics} chosen=${words.topics} task=${task} />
    <${Choice} label="Who can watch" name="visibility" task=${task} value=${words.visibility}
      choices=${[["public", "Everyone on the network"], ["members", "Only people with an account here"]]} />`;
}

/** @param {{ chosen: Signal<string[]>, task: Task }} props */
function Topics({ chosen, task }) {
  const problem = task.problem.value;
  if (topics.value.length === 0) return null;
  const toggle = (/** @type {string} */ id) => {
    chosen.value = chosen.value.includes(id) ? chosen.value.filter((one) => one !== id) : [...chosen.value, id];
  };
  const isFull = chosen.value.length >= MOST_TOPICS;
  return html`
    <fieldset class="field"><legend>Topics</legend>
      <div class="chips">${topics.value.map(({ id, name }) => {
        const isChosen = chosen.value.includes(id);
        return html`<label key=${id} class="chip choice-chip"><input type="checkbox" checked=${isChosen} disabled=${isFull && !isChosen} onChange=${() => toggle(id)} /><span>${name}</span></label>`;
      })}</div>
      ${problem?.field === "topics" && html`<p class="field-words" role="alert">${problem.message}</p>`}
    </fieldset>`;
}

/**
 * Chooses a picture and shows it before it is uploaded.
 * @param {{ label: string, file: Signal<Blob | null>, hint?: string }} props
 */
export function PictureField({ label, file, hint }) {
  const id = useId();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const wrong = useSignal("");
  const choose = async (/** @type {any} */ event) => {
    /** @type {File | undefined} */
    const chosen = event.currentTarget.files[0];
    wrong.value = "";
    file.value = null;
    if (!chosen) return;
    if (chosen.size > BIGGEST_PICTURE) {
      wrong.value = "This picture is too large: the limit is 8 MiB.";
      return;
    }
    try {
      const picture = await createImageBitmap(chosen);
      file.value = chosen;
      const context = canvas.current?.getContext("2d");
      if (!context) return;
      // Cropped to the middle, as the daemon does it.
      const { width, height } = context.canvas;
      const scale = Math.max(width / picture.width, height / picture.height);
      const [w, h] = [picture.width * scale, picture.height * scale];
      context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
      picture.close();
    } catch {
      wrong.value = "This picture cannot be read: choose a PNG, JPEG or WebP file.";
    }
  };
  return html`
    <div class="field" data-wrong=${wrong.value !== ""}>
      <label for=${id}>${label}</label>
      <div class="picture-field">
        <canvas ref=${canvas} width="320" height="180" hidden=${!file.value} role="img" aria-label="The chosen picture"></canvas>
        <span class="file"><input id=${id} type="file" accept="image/png,image/jpeg,image/webp" aria-describedby="${id}-words" onChange=${choose} />
          <span class="button" aria-hidden="true"><${Icon} name="picture" />${file.value ? "Another picture" : "Choose a picture"}</span></span>
      </div>
      <p id="${id}-words" class="field-words" role=${wrong.value ? "alert" : null}>${wrong.value || hint}</p>
    </div>`;
}
