// Dialogs: the browser's own, so that focus stays inside, Esc closes and the page behind is inert.

import { html, useEffect, useId, useRef } from "./html.js";
import { Icon } from "./icon.js";
import { Refusal, useTask } from "./task.js";

/**
 * Shown as long as it is rendered.
 * @param {{ title: string, onClose: () => void, children: any }} props
 */
export function Dialog({ title, onClose, children }) {
  const id = useId();
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  const onBackdrop = (/** @type {MouseEvent} */ event) => event.target === dialog.current && onClose();
  return html`
    <dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose} onClick=${onBackdrop}>
      <div class="dialog">
        <header><h2 id=${id}>${title}</h2>
          <button class="button quiet square" type="button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></header>
        ${children}
      </div>
    </dialog>`;
}

/**
 * Asks for confirmation of an action that cannot be undone.
 * @param {{ title: string, words: any, action: string, work: () => Promise<unknown>, onClose: () => void }} props
 */
export function Confirm({ title, words, action, work, onClose }) {
  const task = useTask();
  const act = async () => {
    await task.run(work);
    if (!task.problem.value) onClose();
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <p>${words}</p>
      <${Refusal} task=${task} />
      <footer>
        <button class="button" type="button" onClick=${onClose}>Cancel</button>
        <button class="button danger" type="button" aria-disabled=${task.busy.value} onClick=${act}>${action}</button>
      </footer>
    <//>`;
}
