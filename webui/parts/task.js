// An action that may be refused: busy while it runs, then the refusal in words.

import { asProblem } from "../site/api.js";
import { html, useMemo, signal } from "./html.js";

/** @import { Problem } from "../site/api.js" */

export class Task {
  busy = signal(false);
  problem = signal(/** @type {Problem | null} */ (null));

  /**
   * Runs one action at a time. A thrown error is kept for display.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T | undefined>}
   */
  async run(work) {
    if (this.busy.value) return undefined;
    this.busy.value = true;
    this.problem.value = null;
    try {
      return await work();
    } catch (error) {
      this.problem.value = asProblem(error);
      return undefined;
    } finally {
      this.busy.value = false;
    }
  }
}

export const useTask = () => useMemo(() => new Task(), []);

/**
 * The refusal, unless one of the form's fields shows it.
 * @param {{ task: Task, fields?: string[] }} props
 */
export function Refusal({ task, fields = [] }) {
  const problem = task.problem.value;
  const isShown = problem !== null && !(problem.field !== null && fields.includes(problem.field));
  return html`<p class="refusal" role="alert">${isShown ? problem.message : ""}</p>`;
}
