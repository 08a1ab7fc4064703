// Form fields: label, hint and error, tied together for screen readers.

import { html, useId } from "./html.js";

/**
 * @import { Signal } from "@preact/signals"
 * @import { Task } from "./task.js"
 */

/**
 * @typedef {object} Common
 * @property {string} label
 * @property {string} name  The daemon's name for the field.
 * @property {Task} task
 * @property {any} [hint]
 */

/** @param {Common & { children: (ids: { id: string, described: string, invalid: boolean }) => any }} props */
function Labelled({ label, name, task, hint, children }) {
  const id = useId();
  const problem = task.problem.value;
  const wrong = problem?.field === name ? problem.message : "";
  return html`
    <div class="field" data-wrong=${wrong !== ""}>
      <label for=${id}>${label}</label>
      ${children({ id, described: `${id}-words`, invalid: wrong !== "" })}
      <p id="${id}-words" class="field-words" role=${wrong ? "alert" : null}>${wrong || hint}</p>
    </div>`;
}

/**
 * A line of text, a password, an e-mail address; with `rows` a paragraph.
 * @param {Common & { value: Signal<string>, rows?: number, [attribute: string]: any }} props
 */
export function Field({ label, name, task, hint, value, rows, ...rest }) {
  return html`<${Labelled} ...${{ label, name, task, hint }}>${(/** @type {any} */ { id, described, invalid }) => html`
    <${rows ? "textarea" : "input"} id=${id} name=${name} rows=${rows} value=${value.value} aria-describedby=${described} aria-invalid=${invalid}
      onInput=${(/** @type {any} */ event) => (value.value = event.currentTarget.value)} ...${rest} />`}<//>`;
}

/**
 * @param {Common & { value: Signal<string>, choices: [string, string][], [attribute: string]: any }} props
 *     choices: value and words
 */
export function Choice({ label, name, task, hint, value, choices, ...rest }) {
  return html`<${Labelled} ...${{ label, name, task, hint }}>${(/** @type {any} */ { id, described, invalid }) => html`
    <select id=${id} name=${name} value=${value.value} aria-describedby=${described} aria-invalid=${invalid}
      onChange=${(/** @type {any} */ event) => (value.value = event.currentTarget.value)} ...${rest}>
      ${choices.map(([key, words]) => html`<option key=${key} value=${key} selected=${key === value.value}>${words}</option>`)}
    </select>`}<//>`;
}

/** @param {{ label: string, hint?: string, value: Signal<boolean>, disabled?: boolean }} props */
export function Switch({ label, hint, value, disabled }) {
  const id = useId();
  return html`
    <div class="switch">
      <input id=${id} type="checkbox" role="switch" checked=${value.value} disabled=${disabled} aria-describedby=${hint ? `${id}-words` : null}
        onChange=${(/** @type {any} */ event) => (value.value = event.currentTarget.checked)} />
      <label for=${id}>${label}</label>
      ${hint && html`<p id="${id}-words" class="field-words">${hint}</p>`}
    </div>`;
}

/** @param {{ task: Task, children: any, [attribute: string]: any }} props */
export function Submit({ task, children, ...rest }) {
  const busy = task.busy.value;
  return html`<button class="button primary" type="submit" aria-disabled=${busy} ...${rest}>${busy ? html`<span class="busy" aria-hidden="true"></span>` : null}${children}</button>`;
}

/**
 * A form that runs its task.
 * @param {{ task: Task, work: () => Promise<unknown>, children: any, [attribute: string]: any }} props
 */
export function Form({ task, work, children, ...rest }) {
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    await task.run(work);
    const field = task.problem.value?.field;
    const wrong = field ? form.elements.namedItem(field) : null;
    if (wrong instanceof HTMLElement) wrong.focus();
  };
  return html`<form class="form" novalidate onSubmit=${submit} ...${rest}>${children}</form>`;
}
